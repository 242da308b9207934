import type { Clock } from '../lifecycle';
import { capability } from '../plugin/capability';

/** Time, provided by the core. */
export const Clock1 = capability<Clock>('clock/v1');

import { definePlugin, LogDriver1 } from '@gantry/sdk';
import { makeJournaldDriver } from './journald-driver';

/** The log driver `journald`. */
export const plugin = definePlugin({
  name: 'log-journald',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { journald: LogDriver1 },
  start: () => ({ journald: makeJournaldDriver() }),
});

import { errorMessage } from '@gantry/sdk';
import type { CallWatcher } from '../kernel/watched-instance';
import type { DaemonLog } from './create-logger';

/** A line for each call of a plugin, while the log is at debug level. */
export const loggedCalls =
  (log: DaemonLog): CallWatcher =>
  (plugin, method) => {
    if (log.level() !== 'debug') return undefined;
    const startedAt = performance.now();
    return {
      ended(failure) {
        const ms = Math.round((performance.now() - startedAt) * 1000) / 1000;
        log.debug('plugin call', {
          plugin,
          method,
          ms,
          error: failure === undefined ? undefined : errorMessage(failure),
        });
      },
    };
  };

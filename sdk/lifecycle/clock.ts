/** Time as plugins see it, so that tests can hold it still. */
export interface Clock {
  now(): Date;
  /** The same moment in nanoseconds since the epoch. */
  nowNs(): bigint;
  /** Resolves after `ms` milliseconds. Rejects with a `cancelled` EngineError when the signal aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

import { cancelled } from '../errors';
import { wallClockNs } from './exact-time';

/** The machine's own time. */
export const systemClock: Clock = {
  now: () => new Date(),
  nowNs: wallClockNs,
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(cancelled('wait was cancelled', signal.reason));
      const onAbort = () => {
        clearTimeout(timer);
        reject(cancelled('wait was cancelled', signal?.reason));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};

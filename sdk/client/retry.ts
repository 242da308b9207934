import type { Clock } from '../lifecycle';

/** When a call that got no HTTP answer is tried again (P-CALL-5). */
export interface RetrySchedule {
  /** Milliseconds before the second, third, … attempt. */
  readonly waitsMs: readonly number[];
  /** No further attempt is made when the time spent plus the next wait would reach this. */
  readonly giveUpAfterMs: number;
}

/** As Docker waits: 15 seconds in all for a plugin that refuses at once. */
export const defaultRetry: RetrySchedule = { waitsMs: [1000, 2000, 4000, 8000], giveUpAfterMs: 30_000 };

/** For calls that many others wait on, such as asking every driver for a name: one attempt. */
export const noRetry: RetrySchedule = { waitsMs: [], giveUpAfterMs: 0 };

/** @param mayRepeat tells whether repeating after this failure is safe */
export async function withRetry<T>(
  schedule: RetrySchedule,
  clock: Clock,
  signal: AbortSignal | undefined,
  mayRepeat: (error: unknown) => boolean,
  attempt: () => Promise<T>,
): Promise<T> {
  const startedAt = clock.now().getTime();
  for (let index = 0; ; index++) {
    try {
      return await attempt();
    } catch (error) {
      const wait = schedule.waitsMs[index];
      const spent = clock.now().getTime() - startedAt;
      if (wait === undefined || spent + wait >= schedule.giveUpAfterMs || !mayRepeat(error)) throw error;
      await clock.sleep(wait, signal);
    }
  }
}

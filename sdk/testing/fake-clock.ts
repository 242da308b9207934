import { cancelled } from '../errors';
import type { Clock } from '../lifecycle';

/** Time that only moves when a test says so. */
export class FakeClock implements Clock {
  private readonly sleepers = new Set<{ readonly until: number; wake(): void }>();

  constructor(private time = Date.parse('2026-01-01T00:00:00Z')) {}

  now(): Date {
    return new Date(this.time);
  }

  nowNs(): bigint {
    return BigInt(this.time) * 1_000_000n;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(cancelled('wait was cancelled', signal.reason));
      const sleeper = {
        until: this.time + ms,
        wake: () => {
          this.sleepers.delete(sleeper);
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      const onAbort = () => {
        this.sleepers.delete(sleeper);
        reject(cancelled('wait was cancelled', signal?.reason));
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.sleepers.add(sleeper);
    });
  }

  /** Milliseconds until the next sleeper wakes, or undefined when nobody sleeps. */
  get nextWakeMs(): number | undefined {
    const next = Math.min(...[...this.sleepers].map((sleeper) => sleeper.until));
    return next === Number.POSITIVE_INFINITY ? undefined : next - this.time;
  }

  /** Moves on, waking whoever is due in the order of their times; what they start has settled when it returns. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      const due = [...this.sleepers].filter((sleeper) => sleeper.until <= end).sort((a, b) => a.until - b.until)[0];
      if (due === undefined) break;
      this.time = due.until;
      due.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.time = end;
  }
}

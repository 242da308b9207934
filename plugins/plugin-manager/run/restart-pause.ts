import type { Clock } from '@gantry/sdk';

const shortestMs = 100;
const longestMs = 30_000;
/** Who has run for so long begins with the shortest pause again. */
const wellMs = 10_000;

/** How long to wait before something that ends again and again is started once more: twice as long each time. */
export class RestartPause {
  private failures = 0;

  constructor(private readonly clock: Clock) {}

  /** It ran for so long before it ended. */
  ran(ms: number): void {
    if (ms >= wellMs) this.failures = 0;
  }

  nextMs(): number {
    return Math.min(longestMs, shortestMs * 2 ** this.failures++);
  }

  /** Returns early when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    await this.clock.sleep(ms, signal).catch(() => undefined);
  }
}

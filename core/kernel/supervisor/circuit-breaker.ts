/** When a plugin that does not answer is left alone, and when it is tried again. */
export interface BreakerSettings {
  /** Failures in a row after which it is left alone. */
  readonly failures: number;
  /** First and longest time without a trial, in milliseconds. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
}

/** A plugin that comes back is used again within five seconds. */
export const defaultBreaker: BreakerSettings = { failures: 5, firstWaitMs: 500, longestWaitMs: 2000 };

/** Keeps callers from waiting for somebody who does not answer. */
export class CircuitBreaker {
  private inARow = 0;
  private waitMs = 0;
  private trialAt = 0;
  private trying = false;

  constructor(private readonly settings: BreakerSettings = defaultBreaker) {}

  get isOpen(): boolean {
    return this.waitMs > 0;
  }

  /** Milliseconds until the next trial. */
  waitsMs(now: number): number {
    return Math.max(0, this.trialAt - now);
  }

  /** Whether a call may be made. While it is open one at a time may try, when its time has come. */
  admits(now: number): boolean {
    if (!this.isOpen) return true;
    if (this.trying || now < this.trialAt) return false;
    this.trying = true;
    return true;
  }

  /** @returns true when that closed it */
  succeeded(): boolean {
    const wasOpen = this.isOpen;
    this.inARow = 0;
    this.waitMs = 0;
    this.trying = false;
    return wasOpen;
  }

  /** @param isSure one failure is enough. @returns true when that opened it */
  failed(now: number, isSure = false): boolean {
    const { failures, firstWaitMs, longestWaitMs } = this.settings;
    const wasOpen = this.isOpen;
    this.trying = false;
    if (!wasOpen && ++this.inARow < failures && !isSure) return false;
    this.waitMs = wasOpen ? Math.min(this.waitMs * 2, longestWaitMs) : firstWaitMs;
    this.trialAt = now + this.waitMs;
    return !wasOpen;
  }
}

import { cancelled } from '@gantry/sdk';

/** At most `limit` holders at a time; the others wait in order. */
export class Semaphore {
  private held = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private limit: number) {}

  /** More let those in who wait; fewer take effect as holders leave. */
  resize(limit: number): void {
    this.limit = limit;
    while (!this.isFull && this.waiting.length > 0) {
      this.held++;
      this.waiting.shift()!();
    }
  }

  get isFull(): boolean {
    return this.held >= this.limit;
  }

  /** @returns the way to give it back. @throws cancelled the signal aborted while waiting */
  async acquire(signal: AbortSignal): Promise<() => void> {
    if (this.isFull)
      await new Promise<void>((resolve, reject) => {
        const enter = () => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const leave = () => {
          this.waiting.splice(this.waiting.indexOf(enter), 1);
          reject(cancelled('waiting for a free slot was cancelled', signal.reason));
        };
        this.waiting.push(enter);
        signal.addEventListener('abort', leave, { once: true });
      });
    else this.held++;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      // The place passes to the next in line, so `held` stays; unless there are fewer places now.
      const next = this.held > this.limit ? undefined : this.waiting.shift();
      if (next === undefined) this.held--;
      else next();
    };
  }
}

import { setImmediate } from 'node:timers/promises';

const sliceMs = 5;

/** Cuts long work on the event loop into slices, so that requests get their turn in between. */
export class Turns {
  private end = performance.now() + sliceMs;

  /** The slice is used up: `await give()` now. */
  get areDue(): boolean {
    return performance.now() > this.end;
  }

  async give(): Promise<void> {
    await setImmediate();
    this.end = performance.now() + sliceMs;
  }
}

/** One step that undoes something. Runs once. */
export type Cleanup = () => void | Promise<void>;

/** What has an `open` has a `close`. */
export interface Disposable {
  close(): void | Promise<void>;
}

/** Undo steps, run last in, first out. Every step runs even when others fail. */
export class CleanupStack {
  private readonly steps: Cleanup[] = [];

  push(step: Cleanup | Disposable | undefined): void {
    if (step === undefined) return;
    this.steps.push(typeof step === 'function' ? step : () => step.close());
  }

  /** Forgets the steps: the work is kept. */
  release(): void {
    this.steps.length = 0;
  }

  /** Runs and forgets every step. Never throws; returns what failed, in the order it ran. */
  async runAll(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }
}

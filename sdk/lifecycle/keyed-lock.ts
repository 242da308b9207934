import { cancelled } from '../errors';

/** One queue per key: work under the same key runs one after the other, under different keys side by side. */
export class KeyedLock {
  private readonly tails = new Map<string, Promise<void>>();

  /** @throws cancelled  the signal aborted while waiting; `work` did not run */
  async run<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.tails.get(key);
    let free!: () => void;
    const mine = new Promise<void>((resolve) => {
      free = resolve;
    });
    const tail = before === undefined ? mine : before.then(() => mine);
    this.tails.set(key, tail);
    try {
      if (before !== undefined) await before;
      if (signal?.aborted) throw cancelled(`waiting for ${key} was cancelled`, signal.reason);
      return await work();
    } finally {
      free();
      if (this.tails.get(key) === tail) this.tails.delete(key);
    }
  }

  isHeld(key: string): boolean {
    return this.tails.has(key);
  }
}

/**
 * Keeps freezing a container apart from putting another process into it. One that is frozen half-way holds up its
 * supervisor, which then cannot thaw the container any more.
 */
export class FreezeGate {
  private readonly entering = new Set<Promise<unknown>>();
  private freezing: Promise<void> | undefined;

  /** Runs `work` while nothing is frozen; it must look for itself whether the container may be entered now. */
  async enter<T>(work: () => Promise<T>): Promise<T> {
    while (this.freezing !== undefined) await this.freezing;
    const running = work();
    this.entering.add(running);
    try {
      return await running;
    } finally {
      this.entering.delete(running);
    }
  }

  /**
   * Runs `work` once whoever is entering is inside; others wait meanwhile. One at a time.
   *
   * @param patience resolves when those inside the gate have had enough time
   */
  async freeze(work: () => Promise<void>, patience: () => Promise<unknown>): Promise<void> {
    let open!: () => void;
    this.freezing = new Promise((resolve) => {
      open = resolve;
    });
    try {
      if (this.entering.size > 0) await Promise.race([Promise.allSettled(this.entering), patience()]);
      await work();
    } finally {
      this.freezing = undefined;
      open();
    }
  }
}

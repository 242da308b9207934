/** Tells open streams that the daemon stops: followers of events and logs would otherwise hold it up. */
export class Shutdown {
  private readonly listeners = new Set<() => void>();
  private hasBegun = false;

  begin(): void {
    this.hasBegun = true;
    for (const listener of [...this.listeners]) listener();
  }

  /** Calls `listener` once when the shutdown begins, or at once when it has. Returns the way to forget it. */
  onBegin(listener: () => void): () => void {
    if (this.hasBegun) listener();
    else this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }
}

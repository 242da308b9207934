import { EventEmitter, once } from 'node:events';

/** Builds under way, so that they can be cancelled: one by its id, all when the daemon stops. */
export class RunningBuilds {
  private readonly builds = new Map<object, { readonly id: string; readonly stop: AbortController }>();
  private readonly changes = new EventEmitter();

  /** @param id the client's name for it; empty = none */
  begin(id: string): { readonly signal: AbortSignal; end(): void } {
    const key = {};
    const stop = new AbortController();
    this.builds.set(key, { id, stop });
    const end = () => {
      this.builds.delete(key);
      this.changes.emit('ended');
    };
    return { signal: stop.signal, end };
  }

  cancel(id: string): void {
    for (const build of this.builds.values()) if (build.id === id) build.stop.abort(new Error('build cancelled'));
  }

  /** Cancels all and waits until their containers and files are gone. */
  async close(): Promise<void> {
    for (const { stop } of this.builds.values()) stop.abort(new Error('the daemon is stopping'));
    while (this.builds.size > 0) await once(this.changes, 'ended');
  }
}

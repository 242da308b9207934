import { type AbsentPlugin, EngineError, errorMessage } from '@gantry/sdk';

/** Pauses between trials in milliseconds; the last one repeats, so that who returns is used within two seconds. */
const pausesMs = [250, 500, 1000, 2000] as const;
/** Trials of a plugin that takes connections and says nothing: one that is only slow must be able to answer. */
const maxPending = 5;
/** How long those who need the plugin wait for it at first, as for any plugin (P-CALL-5). */
const patienceMs = 15_000;

interface Waiter<T> {
  readonly until: number;
  readonly resolve: (plugin: T) => void;
  readonly reject: (error: Error) => void;
}

/** A plugin that is not there yet: asked again and again until it answers, so that nobody has to ask on its behalf. */
export class AwaitedPlugin<T> {
  private readonly since = performance.now();
  private readonly asking = new AbortController();
  private readonly waiters = new Set<Waiter<T>>();
  private timer: NodeJS.Timeout | undefined;
  private trials = 0;
  private pending = 0;
  private lastError: string | undefined;

  /**
   * @param ask       one trial
   * @param arrived   it has answered; called once
   * @param failed    a trial has failed
   */
  constructor(
    private readonly plugin: AbsentPlugin,
    private readonly ask: (signal: AbortSignal) => Promise<T>,
    private readonly arrived: (plugin: T) => void,
    private readonly failed: (error: unknown) => void,
  ) {
    this.next();
  }

  /** @throws unavailable  it has not come in time */
  wait(): Promise<T> {
    const until = this.since + patienceMs;
    // Who has been gone for long is not waited for: it is asked every two seconds anyhow.
    if (until < performance.now() && this.lastError !== undefined) return Promise.reject(this.absence(this.lastError));
    return new Promise((resolve, reject) => this.waiters.add({ until, resolve, reject }));
  }

  /** Nobody asks any more; whoever waits learns the reason. */
  stop(reason: string): void {
    clearTimeout(this.timer);
    this.asking.abort(new Error(reason));
    this.dismiss(() => true, reason);
  }

  private next(): void {
    if (this.pending < maxPending) void this.tryOnce();
    const now = performance.now();
    this.dismiss(({ until }) => until <= now, this.lastError ?? 'it takes connections and says nothing');
    const pause = pausesMs[Math.min(this.trials++, pausesMs.length - 1)]!;
    this.timer = setTimeout(() => this.next(), pause).unref();
  }

  private async tryOnce(): Promise<void> {
    const { signal } = this.asking;
    this.pending++;
    try {
      const plugin = await this.ask(signal);
      if (signal.aborted) return;
      clearTimeout(this.timer);
      this.asking.abort(new Error('it has answered'));
      this.arrived(plugin);
      for (const { resolve } of this.waiters) resolve(plugin);
      this.waiters.clear();
    } catch (error) {
      if (signal.aborted) return;
      this.lastError = errorMessage(error);
      this.failed(error);
    } finally {
      this.pending--;
    }
  }

  private dismiss(whom: (waiter: Waiter<T>) => boolean, reason: string): void {
    for (const waiter of this.waiters) {
      if (!whom(waiter)) continue;
      this.waiters.delete(waiter);
      waiter.reject(this.absence(reason));
    }
  }

  private absence(reason: string): EngineError {
    const { name, address } = this.plugin;
    const message = `plugin "${name}" at ${address} does not answer: ${reason}`;
    return new EngineError('unavailable', message, { absentPlugin: this.plugin });
  }
}

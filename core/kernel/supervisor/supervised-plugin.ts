import { EngineError, errorKind, errorMessage, unavailable } from '@gantry/sdk';
import type { WatchedCall } from '../watched-instance';
import { limitOf } from './call-limits';
import { type BreakerSettings, CircuitBreaker } from './circuit-breaker';

/** Calls of one plugin at the same time; more wait for their turn. */
const maxInFlight = 64;
/** A plugin of another process that has said nothing for so long when its caller gave up was silent. */
const silenceMs = 1000;
/** Who was asked again and again for so long is not there: the next callers need not wait as long. */
const absenceMs = 10_000;
/** Calls that may wait for their turn; more are refused. */
const maxWaiting = 1024;

/** A call that was refused because the plugin is known not to answer. */
class NotTried extends EngineError {}

/** What is counted about one method. */
export interface MethodCounts {
  calls: number;
  failed: number;
  totalMs: number;
  slowestMs: number;
}

interface Pending {
  readonly method: string;
  readonly endsAt: number;
  readonly start: () => void;
  readonly expire: (error: Error) => void;
}

/** Told when a plugin stops answering, and when it answers again. */
export interface HealthListener {
  onHealth(plugin: SupervisedPlugin, healthy: boolean): void;
}

/** The calls of one plugin: their limits, their number, and how they end. */
export class SupervisedPlugin {
  readonly methods = new Map<string, MethodCounts>();
  lastError: string | undefined;
  since = new Date();
  /** Asks a plugin of another process whether it is there again. */
  probe: (() => Promise<unknown>) | undefined;
  private readonly breaker: CircuitBreaker;
  /** The last failure that was no answer. */
  private silence: unknown;
  private readonly running = new Set<Pending>();
  private readonly waiting: Pending[] = [];
  private timer: NodeJS.Timeout | undefined;
  private probing: NodeJS.Timeout | undefined;
  private idle: (() => void)[] = [];

  constructor(
    readonly name: string,
    private readonly listener: HealthListener,
    settings?: BreakerSettings,
  ) {
    this.breaker = new CircuitBreaker(settings);
  }

  get answers(): boolean {
    return !this.breaker.isOpen;
  }

  get inFlight(): number {
    return this.running.size;
  }

  get queued(): number {
    return this.waiting.length;
  }

  /** Resolves when no call is under way, or after `timeoutMs`. @returns how many are still under way */
  async drain(timeoutMs: number): Promise<number> {
    if (this.running.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        new Promise<void>((resolve) => this.idle.push(resolve)),
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, timeoutMs);
        }),
      ]);
      clearTimeout(timer);
    }
    return this.running.size;
  }

  /** It is not asked any more whether it is there. */
  stopProbing(): void {
    clearTimeout(this.probing);
    this.probe = undefined;
  }

  /** A call begins. */
  watch(method: string): WatchedCall {
    const startedAt = performance.now();
    const limitMs = limitOf(method);
    return {
      run: <T>(work: () => T): T => (limitMs === undefined ? work() : (this.run(method, limitMs, work) as T)),
      ended: (failure) => this.count(method, performance.now() - startedAt, failure),
    };
  }

  /** @returns what the work returns: limited methods all return promises */
  private run(method: string, limitMs: number, work: () => unknown): Promise<unknown> {
    const now = performance.now();
    if (!this.breaker.admits(now))
      return Promise.reject(
        new NotTried(
          'unavailable',
          `plugin "${this.name}" does not answer, and ${method} was not tried: ${errorMessage(this.silence)}; the next trial is in ${Math.ceil(this.breaker.waitsMs(now) / 1000)} s`,
          { cause: this.silence },
        ),
      );
    if (this.waiting.length >= maxWaiting)
      return Promise.reject(unavailable(`plugin "${this.name}" is busy: ${maxWaiting} calls wait for it already`));
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        method,
        // The client of a socket has a deadline of its own, and says more about it.
        endsAt: now + limitMs + 1000,
        start: () => {
          this.running.add(pending);
          let result: unknown;
          try {
            result = work();
          } catch (error) {
            this.leave(pending);
            reject(error);
            return;
          }
          Promise.resolve(result).then(
            (value) => {
              if (this.leave(pending)) this.judge(undefined);
              resolve(value);
            },
            (error: unknown) => {
              if (this.leave(pending)) this.judge(error, performance.now() - now);
              reject(error);
            },
          );
        },
        expire: (error) => {
          this.judge(error);
          reject(error);
        },
      };
      if (this.running.size < maxInFlight) pending.start();
      else this.waiting.push(pending);
      this.timer ??= setInterval(() => this.expireLate(), 250).unref();
    });
  }

  /** @returns false when it had expired before */
  private leave(pending: Pending): boolean {
    if (!this.running.delete(pending)) return false;
    this.waiting.shift()?.start();
    if (this.running.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
      for (const resume of this.idle.splice(0)) resume();
    }
    return true;
  }

  private expireLate(): void {
    const now = performance.now();
    for (const pending of [...this.running, ...this.waiting]) {
      if (pending.endsAt > now) continue;
      const at = this.waiting.indexOf(pending);
      if (at >= 0) this.waiting.splice(at, 1);
      else this.leave(pending);
      pending.expire(new EngineError('deadline', `plugin "${this.name}" did not end ${pending.method} in time`));
    }
  }

  private judge(failure: unknown, afterMs = 0): void {
    // Who asks on behalf of a person gives up early; a client that has left says nothing about the plugin.
    const gaveUp = this.probe !== undefined && errorKind(failure) === 'cancelled';
    if (gaveUp && afterMs < silenceMs) return;
    if (failure === undefined || !(gaveUp || isSilence(failure))) {
      if (this.breaker.succeeded()) this.changed(true);
      return;
    }
    this.lastError = errorMessage(failure);
    this.silence = failure;
    if (this.breaker.failed(performance.now(), this.probe !== undefined && afterMs >= absenceMs)) this.changed(false);
    else if (this.breaker.isOpen) this.probeLater();
  }

  private changed(healthy: boolean): void {
    this.since = new Date();
    this.listener.onHealth(this, healthy);
    if (!healthy) this.probeLater();
  }

  /** Nobody has to wait for a trial with a call of his own. */
  private probeLater(): void {
    if (this.probe === undefined) return;
    const wait = this.breaker.waitsMs(performance.now());
    clearTimeout(this.probing);
    this.probing = setTimeout(async () => {
      const { probe } = this;
      if (probe === undefined || !this.breaker.isOpen || !this.breaker.admits(performance.now())) return;
      await (async () => probe())().then(
        () => this.judge(undefined),
        (error) => this.judge(error),
      );
    }, wait + 1);
    this.probing.unref();
  }

  private count(method: string, ms: number, failure: unknown): void {
    let counts = this.methods.get(method);
    if (counts === undefined) {
      counts = { calls: 0, failed: 0, totalMs: 0, slowestMs: 0 };
      this.methods.set(method, counts);
    }
    counts.calls++;
    counts.totalMs += ms;
    if (ms > counts.slowestMs) counts.slowestMs = ms;
    if (failure === undefined) return;
    counts.failed++;
    if (failure instanceof NotTried) return;
    this.lastError = errorMessage(failure);
  }
}

/** No answer, as opposed to an answer that says no: those carry the status they came with. */
function isSilence(failure: unknown): boolean {
  if (!(failure instanceof EngineError) || 'status' in failure) return false;
  return failure.kind === 'deadline' || failure.kind === 'unavailable';
}

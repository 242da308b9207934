import type { LogPump, Task } from '@gantry/sdk';
import type { ExecInstance } from '../exec/exec-instance';
import type { ContainerRecord } from '../records/container-record';
import { Attachments } from './attachments';
import { FreezeGate } from './freeze-gate';
import type { HealthMonitor } from './health-monitor';
import { type ContainerState, nextState, type StateChange } from './state';

export interface ExitResult {
  readonly exitCode: number;
  readonly error?: string;
}

/** When `wait` answers. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** A container in memory: its record, and what is alive of it. */
export class Container {
  task: Task | undefined;
  pump: LogPump | undefined;
  health: HealthMonitor | undefined;
  readonly attachments = new Attachments();
  readonly freezeGate = new FreezeGate();
  /** How many look at its file system while it does not run: it stays mounted for them. */
  openViews = 0;
  readonly execs = new Map<string, ExecInstance>();
  /** Raised by every change that inspect or list can show. */
  revision = 0;
  /** Aborts the back-off of a restart. */
  restartDelay: AbortController | undefined;
  /** Set while the daemon itself stops or removes it: no restart policy applies. */
  keepStopped = false;
  /** Consecutive restarts: the length of the next back-off. */
  restartBackoffMs = 0;
  /** Resolves when the exit of the present run has been dealt with (restart or cleanup included). */
  exitHandled: Promise<void> = Promise.resolve();
  private exitWaiters: ((result: ExitResult) => void)[] = [];
  private removalWaiters: ((result: ExitResult) => void)[] = [];

  constructor(
    readonly record: ContainerRecord,
    readonly directory: string,
  ) {}

  get id(): string {
    return this.record.id;
  }

  get state(): ContainerState {
    return this.record.state;
  }

  /** Moves to the next state and tells those who wait for an exit. @throws conflict the change makes no sense now */
  change(change: StateChange): void {
    this.record.state = nextState(this.record.state, change);
    this.revision++;
    if (change.to === 'exited' || change.to === 'restarting') this.notifyExit();
  }

  /** Something a client can see has changed. */
  touch(): void {
    this.revision++;
  }

  /** Tells everybody that it is gone. */
  markRemoved(): void {
    this.notifyExit();
    const waiters = this.removalWaiters;
    this.removalWaiters = [];
    for (const tell of waiters) tell({ exitCode: this.state.exitCode });
  }

  /** Tells those who wait for its removal that it could not be removed. */
  markRemovalFailed(reason: string): void {
    const waiters = this.removalWaiters;
    this.removalWaiters = [];
    for (const tell of waiters) tell({ exitCode: this.state.exitCode, error: reason });
  }

  /** Resolves when the condition holds; undefined when the signal aborted first. */
  wait(condition: WaitCondition, signal: AbortSignal): Promise<ExitResult | undefined> {
    if (condition === 'not-running' && !this.isBusy()) return Promise.resolve(this.result());
    return new Promise((resolve) => {
      const waiters = condition === 'removed' ? 'removalWaiters' : 'exitWaiters';
      const onAbort = () => {
        this[waiters] = this[waiters].filter((waiter) => waiter !== tell);
        resolve(undefined);
      };
      const tell = (result: ExitResult) => {
        signal.removeEventListener('abort', onAbort);
        resolve(result);
      };
      this[waiters].push(tell);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }

  private isBusy(): boolean {
    return this.state.status === 'running' || this.state.status === 'paused' || this.state.status === 'restarting';
  }

  private notifyExit(): void {
    const waiters = this.exitWaiters;
    this.exitWaiters = [];
    for (const tell of waiters) tell(this.result());
  }

  private result(): ExitResult {
    const { exitCode, error } = this.state;
    return error === '' ? { exitCode } : { exitCode, error };
  }
}

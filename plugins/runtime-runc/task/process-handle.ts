import { type ExitStatus, errorMessage, invalidParameter, notFound, type ProcessStreams } from '@gantry/sdk';
import { PidFd } from '@gantry/sdk/linux/pidfd';
import type { TaskService } from '../shim/task-service';
import { taskStatus } from '../shim/task-service';
import { exitStatusOf } from '../ttrpc/messages';
import { type ProcessWatch, watchProcess } from './process-watch';

/** Exit code of what ended with its supervisor: nobody can tell any more. */
const LOST_EXIT_CODE = 137;

/** What a container's first process and a later one have in common. */
export class ProcessHandle {
  private pidFd: PidFd | undefined;
  private exit: ExitStatus | undefined;
  private watch: ProcessWatch | undefined;
  private settle!: (status: ExitStatus) => void;
  private readonly exited: Promise<ExitStatus>;

  constructor(
    readonly service: TaskService,
    readonly containerId: string,
    readonly execId: string,
    readonly terminal: boolean,
    readonly streams: ProcessStreams,
  ) {
    this.exited = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  get pid(): number {
    return this.pidFd?.pid ?? this.knownPid;
  }
  private knownPid = 0;

  get hasExited(): boolean {
    return this.exit !== undefined;
  }

  /** From here on the process is the one with this pid, and its exit is waited for. */
  follow(pid: number): void {
    this.knownPid = pid;
    try {
      this.pidFd = PidFd.open(pid);
    } catch {
      // It ended already; the wait below says how.
    }
    this.service.wait(this.containerId, this.execId).then(
      (answer) => this.finish(exitStatusOf(answer)),
      () => void this.askWhetherExited(),
    );
    this.watch = watchProcess(pid, () => void this.askWhetherExited());
  }

  finish(status: ExitStatus): void {
    if (this.exit !== undefined) return;
    this.exit = status;
    this.watch?.stop();
    this.pidFd?.close();
    this.settle(status);
  }

  /** The supervisor is gone and with it the exit status. */
  lost(): void {
    this.finish({ code: LOST_EXIT_CODE, exitedAt: new Date() });
  }

  wait(): Promise<ExitStatus> {
    return this.exited;
  }

  /**
   * Signals the process itself, without the detour over the OCI runtime.
   * @throws not-found
   */
  signal(signal: number): void {
    try {
      if (this.pidFd === undefined || this.exit !== undefined) throw new Error('the process has ended');
      this.pidFd.signal(signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EINVAL')
        throw invalidParameter(`invalid signal: ${signal}`, error);
      throw notFound(`process ${this.pid} of container ${this.containerId} is gone: ${errorMessage(error)}`, error);
    }
  }

  async resize(columns: number, rows: number): Promise<void> {
    if (!this.terminal) throw invalidParameter(`process ${this.pid} of container ${this.containerId} has no terminal`);
    await this.service.resize(this.containerId, this.execId, columns, rows);
  }

  /** An answer to `Wait` can go missing: after the pid vanished the state is asked for as well. */
  private async askWhetherExited(): Promise<void> {
    if (this.exit !== undefined) return;
    try {
      const state = await this.service.state(this.containerId, this.execId);
      if (state.status === taskStatus.stopped) this.finish(exitStatusOf(state));
    } catch {
      // Asked again by the watch; a shim that is gone is noticed by its connection.
    }
  }
}

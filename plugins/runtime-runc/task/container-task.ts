import { truncate } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  conflict,
  type ExecCreate,
  type ExitStatus,
  errorKind,
  errorMessage,
  type Logger,
  type OciResources,
  type RunningProcess,
  type Task,
  withDeadline,
} from '@gantry/sdk';
import type { CgroupDirectories } from '../oci/cgroup-directories';
import { assertCriuWorks } from '../oci/criu';
import { bundleFile, killShim, removeShimDirectory } from '../shim/shim';
import { specAny, taskStatus } from '../shim/task-service';
import { startExec } from './exec-process';
import { releaseUnread } from './output-stream';
import type { ProcessHandle } from './process-handle';
import type { ProgramStart } from './program-start';

const SIGKILL = 9;
const EXIT_MS = 10_000;
const SHIM_EXIT_MS = 1_000;
/** The shim notes each event that nobody takes; its file is emptied when it holds more than this. */
const SHIM_LOG_BYTES = 256 * 1024;

export interface TaskEnvironment {
  readonly bundle: string;
  readonly cgroup: CgroupDirectories | undefined;
  readonly log: Logger;
  /** `oomScoreAdj` of the container's first process, which later ones share. */
  readonly oomScoreAdj: number;
  /**
   * Frees what an ended container leaves, without asking the OCI runtime, which takes it some 15 ms.
   * @returns false when that needs the OCI runtime after all
   */
  removeEnded(): Promise<boolean>;
  /** Frees what the OCI runtime and the kernel keep, when the shim cannot. Repeatable. */
  removeByForce(): Promise<void>;
  /** The task is over and its bundle removed. */
  onDeleted(): void;
}

/** A container behind its shim. */
export class ContainerTask implements Task {
  private readonly execs = new Set<ProcessHandle>();
  private paused: boolean;
  /** Absent where the first process is the program from the beginning. */
  private readonly programStart: ProgramStart | undefined;
  private wasOomKilled = false;
  private deletion: Promise<void> | undefined;
  private detached = false;

  constructor(
    readonly id: string,
    private readonly init: ProcessHandle,
    private readonly environment: TaskEnvironment,
    { paused = false, programStart }: { readonly paused?: boolean; readonly programStart?: ProgramStart } = {},
  ) {
    this.paused = paused;
    this.programStart = programStart;
    void init.service.client.closed.then(() => this.onShimGone());
  }

  get pid() {
    return this.init.pid;
  }

  get streams() {
    return this.init.streams;
  }

  async start(): Promise<void> {
    const pid = await this.init.service.start(this.id);
    this.programStart?.started();
    // One that goes on from a checkpoint has had no process so far.
    if (this.init.pid === 0) this.init.follow(pid);
  }

  wait(): Promise<ExitStatus> {
    return this.init.wait();
  }

  async kill(signal: number): Promise<void> {
    // What nothing survives need not wait.
    if (signal !== SIGKILL) await this.programStart?.inPlace();
    this.init.signal(signal);
    // A frozen process dies of SIGKILL only when it is thawed; other signals wait for the resume. It may be frozen
    // without our knowledge: by hand, or by a pause that was cut off.
    if (signal === SIGKILL) await this.thaw();
  }

  async killAll(signal: number): Promise<void> {
    const pids = await this.pids();
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended meanwhile.
      }
    }
    if (signal === SIGKILL) await this.thaw();
  }

  resize(columns: number, rows: number): Promise<void> {
    return this.init.resize(columns, rows);
  }

  /** Lets what was killed die. Not by the shim: a process that was frozen while it was started holds that up. */
  private async thaw(): Promise<void> {
    await this.environment.cgroup?.freeze(false);
    if (!this.paused) return;
    this.paused = false;
    void this.init.service.resume(this.id).catch(() => undefined);
  }

  async pause(): Promise<void> {
    await this.init.service.pause(this.id);
    this.paused = true;
  }

  async resume(): Promise<void> {
    await this.init.service.resume(this.id);
    this.paused = false;
  }

  async status(): Promise<'created' | 'running' | 'paused' | 'stopped'> {
    if (this.init.hasExited) return 'stopped';
    const { status } = await this.init.service.state(this.id);
    switch (status) {
      case taskStatus.created:
        return 'created';
      case taskStatus.paused:
      case taskStatus.pausing:
        return 'paused';
      case taskStatus.running:
        return 'running';
      default:
        return 'stopped';
    }
  }

  async pids(): Promise<readonly number[]> {
    const found = (await this.environment.cgroup?.pids()) ?? [];
    return found.length > 0 || this.init.hasExited ? found : [this.init.pid];
  }

  async update(resources: OciResources): Promise<void> {
    const { pids, ...others } = resources;
    const send = (wanted: OciResources) => this.init.service.update(this.id, specAny('LinuxResources', wanted));
    try {
      await send(resources);
    } catch (error) {
      // crun 1.8 has no word for "no limit" here.
      if (pids === undefined || pids.limit > 0) throw error;
      await send(others);
      await this.environment.cgroup?.liftProcessLimit();
    }
  }

  async exec(request: ExecCreate): Promise<RunningProcess> {
    if (this.init.hasExited) throw conflict(`container ${this.id} is not running`);
    await this.trimShimLog();
    const process = { ...request.process, oomScoreAdj: request.process.oomScoreAdj ?? this.environment.oomScoreAdj };
    return startExec({ ...request, process }, this.id, this.environment.bundle, this.init.service, this.execs);
  }

  async checkpoint({ directory, exit }: { directory: string; exit: boolean }): Promise<void> {
    await assertCriuWorks();
    // The shim makes a folder for criu's own files in here, and expects this one to be there.
    await mkdir(join(this.environment.bundle, bundleFile.work), { recursive: true, mode: 0o700 });
    await this.init.service.checkpoint(this.id, directory, exit);
  }

  async oomKilled(): Promise<boolean> {
    const kills = await this.environment.cgroup?.oomKills();
    if (kills !== undefined) this.wasOomKilled = kills > 0;
    return this.wasOomKilled;
  }

  delete(): Promise<void> {
    this.deletion ??= this.deleteOnce().catch((error) => {
      this.deletion = undefined;
      throw error;
    });
    return this.deletion;
  }

  /** Lets go of a container that goes on without this daemon. */
  detach(): void {
    this.detached = true;
    this.init.service.client.close();
    for (const { streams } of [this.init, ...this.execs]) {
      streams.stdin?.destroy();
      streams.stdout.destroy();
      streams.stderr?.destroy();
    }
  }

  private async deleteOnce(): Promise<void> {
    const { bundle, removeByForce, onDeleted } = this.environment;
    const { service } = this.init;
    if (service.client.usable) await this.endFirstProcess();
    await this.oomKilled();
    this.detached = true;
    if (!service.client.usable) await removeByForce();
    else if (!(await this.environment.removeEnded())) await this.deleteByShim();
    killShim(service.shimPid);
    // Its end of the connection closes when it is gone.
    await withDeadline('the end of a shim', SHIM_EXIT_MS, () => service.client.closed).catch(() => undefined);
    service.client.close();
    for (const handle of [this.init, ...this.execs]) {
      handle.lost();
      handle.streams.stdin?.destroy();
      releaseUnread(handle.streams.stdout);
      releaseUnread(handle.streams.stderr);
    }
    await removeShimDirectory(bundle);
    onDeleted();
  }

  private async endFirstProcess(): Promise<void> {
    if (this.init.hasExited || this.init.pid === 0) return;
    try {
      await this.kill(SIGKILL).catch(() => undefined);
      await withDeadline(`the end of container ${this.id}`, EXIT_MS, () => this.init.wait());
    } catch (error) {
      this.environment.log.warn('a container did not end', { container: this.id, error: errorMessage(error) });
    }
  }

  private async deleteByShim(): Promise<void> {
    try {
      await this.init.service.delete(this.id);
    } catch (error) {
      if (errorKind(error) === 'not-found') return;
      this.environment.log.warn('the shim could not delete its container', {
        container: this.id,
        error: errorMessage(error),
      });
      await this.environment.removeByForce();
    }
  }

  /** Without its supervisor nobody can wait for the container or stop it properly: it ends. */
  private async onShimGone(): Promise<void> {
    if (this.detached) return;
    this.environment.log.error('the shim of a container was lost, the container is ended', { container: this.id });
    try {
      await this.environment.removeByForce();
    } catch (error) {
      this.environment.log.error('a container without shim could not be ended', {
        container: this.id,
        error: errorMessage(error),
      });
    }
    for (const handle of [this.init, ...this.execs]) handle.lost();
  }

  private async trimShimLog(): Promise<void> {
    const path = join(this.environment.bundle, bundleFile.log);
    try {
      // The shim's own offset stays: what it writes next leaves a hole, which costs nothing.
      if ((await stat(path)).blocks * 512 > SHIM_LOG_BYTES) truncate(path, 0, () => undefined);
    } catch {
      // The bundle is being removed.
    }
  }
}

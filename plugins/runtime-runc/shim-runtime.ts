import { close as closeFd } from 'node:fs';
import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  CleanupStack,
  cancelled,
  conflict,
  errorKind,
  type Logger,
  type OciSpec,
  parseJson,
  type Runtime,
  type Task,
  type TaskCreate,
} from '@gantry/sdk';
import { mkfifo } from '@gantry/sdk/linux/fifo';
import { CgroupDirectories } from './oci/cgroup-directories';
import { assertCriuWorks } from './oci/criu';
import { deleteForcibly } from './oci/oci-binary';
import type { OciRuntime } from './oci/oci-runtime';
import { findShims } from './shim/find-shims';
import { bundleFile, connectShim, killShim, NAMESPACE, removeShimDirectory, reopenForReading } from './shim/shim';
import type { ShimPool } from './shim/shim-pool';
import { specJson, taskStatus } from './shim/task-service';
import { ContainerTask, type TaskEnvironment } from './task/container-task';
import { retainedOutput } from './task/output-stream';
import { ProcessHandle } from './task/process-handle';
import { ProgramStart } from './task/program-start';
import type { Slots } from './task/slots';
import { openStdin } from './task/stdin-fifo';
import { exitStatusOf } from './ttrpc/messages';

const close = promisify(closeFd);
const CONFIG = 'config.json';

/** What the runtimes of one daemon share. */
export interface RuntimeParts {
  /** Bundles of this runtime: `<directory>/<container id>`. */
  readonly directory: string;
  readonly createSlots: Slots;
  readonly log: Logger;
  /** Looks the programs up, once they are asked for. */
  prepare(): Promise<OciRuntime>;
  poolFor(shim: string): ShimPool;
}

/** An OCI runtime whose containers are looked after by a containerd shim each. */
export class ShimRuntime implements Runtime {
  private readonly tasks = new Map<string, ContainerTask>();
  private prepared: Promise<OciRuntime> | undefined;

  constructor(private readonly parts: RuntimeParts) {}

  create(request: TaskCreate, signal: AbortSignal): Promise<Task> {
    return this.parts.createSlots.run(() => this.createNow(request, signal), signal);
  }

  async reconnect(id: string, io: { openStdin: boolean; terminal: boolean }): Promise<Task | undefined> {
    const bundle = this.bundle(id);
    const known = this.tasks.get(id);
    if (known !== undefined) return known;
    if (!(await exists(bundle))) return undefined;
    const undo = new CleanupStack();
    try {
      const service = await connectShim(bundle);
      undo.push(() => service.client.close());
      const state = await service.state(id);
      const output = async (name: string) =>
        retainedOutput(await reopenForReading(join(bundle, name)), join(bundle, name));
      const stdout = await output(bundleFile.stdout);
      undo.push(() => void stdout.destroy());
      const stderr = io.terminal ? undefined : await output(bundleFile.stderr);
      undo.push(() => void stderr?.destroy());
      const stdin = io.openStdin
        ? await openStdin(join(bundle, bundleFile.stdin), () => service.closeStdin(id, ''), false)
        : undefined;
      const handle = new ProcessHandle(service, id, '', io.terminal, { stdin, stdout, stderr });
      if (state.status === taskStatus.stopped) handle.finish(exitStatusOf(state));
      else handle.follow(state.pid);
      const paused = state.status === taskStatus.paused || state.status === taskStatus.pausing;
      const environment = await this.environment(id, await readSpec(bundle));
      // A pause or resume that was cut off with the daemon before this one may be half done: the shim knows nothing of
      // it, and refuses what does not fit to what it knows.
      await environment.cgroup?.freeze(paused);
      const task = new ContainerTask(id, handle, environment, { paused });
      this.tasks.set(id, task);
      return task;
    } catch (error) {
      await undo.runAll();
      const { code } = error as NodeJS.ErrnoException;
      const gone = code === 'ECONNREFUSED' || code === 'ENOENT' || errorKind(error) === 'not-found';
      if (!gone) throw error;
      await this.purge(id);
      return undefined;
    }
  }

  async list(): Promise<readonly string[]> {
    try {
      return await readdir(this.parts.directory);
    } catch {
      return [];
    }
  }

  async purge(id: string): Promise<void> {
    const known = this.tasks.get(id);
    if (known !== undefined) return known.delete();
    const bundle = this.bundle(id);
    if (!(await exists(bundle))) return;
    const spec = await readSpec(bundle);
    for (const { pid } of await findShims(bundle)) killShim(pid);
    await this.removeByForce(id, await cgroupOf(id, spec));
    await removeShimDirectory(bundle);
  }

  async version() {
    return (await this.runtime()).version();
  }

  async features() {
    return (await this.runtime()).features();
  }

  /** Lets go of every container; they go on. */
  close(): void {
    for (const task of this.tasks.values()) task.detach();
    this.tasks.clear();
  }

  private async createNow(request: TaskCreate, signal: AbortSignal): Promise<Task> {
    const { id } = request;
    const runtime = await this.runtime();
    if (request.checkpoint !== undefined) await assertCriuWorks();
    if (this.tasks.has(id)) throw conflict(`container ${id} exists in the runtime already`);
    const bundle = this.bundle(id);
    // What a crash left behind must not be mistaken for the new container.
    if (await exists(bundle)) await this.purge(id);
    else await mkdir(this.parts.directory, { recursive: true, mode: 0o711 });

    // Runtimes refuse versions they do not know; what newer ones add is optional.
    const spec: OciSpec = { ...request.spec, ociVersion: '1.0.2' };
    // The shim is protected from the OOM killer and its children inherit that.
    spec.process = { ...spec.process, terminal: request.terminal, oomScoreAdj: spec.process.oomScoreAdj ?? 0 };
    const environment = await this.environment(id, spec);
    const undo = new CleanupStack();
    undo.push(() => removeShimDirectory(bundle));
    undo.push(environment.removeByForce);
    try {
      const shim = await this.parts.poolFor(runtime.shim).take(bundle);
      const { service, outputFds } = shim;
      undo.push(() => service.client.close());
      undo.push(() => killShim(shim.pid));
      const stdout = retainedOutput(outputFds.stdout, join(bundle, bundleFile.stdout));
      undo.push(() => void stdout.destroy());
      const stderr = request.terminal ? undefined : retainedOutput(outputFds.stderr, join(bundle, bundleFile.stderr));
      undo.push(() => void stderr?.destroy());
      if (request.terminal) await close(outputFds.stderr);
      const stdinPath = join(bundle, bundleFile.stdin);
      if (request.openStdin) mkfifo(stdinPath);
      await writeFile(join(bundle, CONFIG), specJson(spec), { mode: 0o600 });
      const pid = await service.create({
        id,
        bundle,
        terminal: request.terminal,
        stdin: request.openStdin ? stdinPath : '',
        stdout: join(bundle, bundleFile.stdout),
        stderr: request.terminal ? '' : join(bundle, bundleFile.stderr),
        checkpoint: request.checkpoint,
        options: runtime.options,
      });
      if (signal.aborted) throw cancelled(`creating container ${id} was cancelled`, signal.reason);
      const stdin = request.openStdin ? await openStdin(stdinPath, () => service.closeStdin(id, ''), true) : undefined;
      const handle = new ProcessHandle(service, id, '', request.terminal, { stdin, stdout, stderr });
      if (request.checkpoint === undefined) handle.follow(pid);
      // The first process of other shims may be no program of the container at all.
      const becomesProgram = request.checkpoint === undefined && runtime.binary !== undefined;
      const programStart = becomesProgram ? new ProgramStart(pid) : undefined;
      const task = new ContainerTask(id, handle, environment, { programStart });
      this.tasks.set(id, task);
      return task;
    } catch (error) {
      for (const failure of await undo.runAll())
        this.parts.log.error('cleaning up after a failed create failed', { container: id, error: String(failure) });
      throw error;
    }
  }

  private async environment(id: string, spec: OciSpec | undefined): Promise<TaskEnvironment> {
    const cgroup = await cgroupOf(id, spec);
    return {
      bundle: this.bundle(id),
      cgroup,
      log: this.parts.log,
      oomScoreAdj: spec?.process.oomScoreAdj ?? 0,
      removeEnded: async () => {
        const { binary, root, systemdCgroup } = await this.runtime();
        // Hooks are the runtime's to run, and systemd's units its to stop.
        if (binary === undefined || systemdCgroup || spec?.hooks?.poststop || !(await cgroup?.remove())) return false;
        await rm(join(root, NAMESPACE, id), { recursive: true, force: true });
        return true;
      },
      removeByForce: () => this.removeByForce(id, cgroup),
      onDeleted: () => this.tasks.delete(id),
    };
  }

  private async removeByForce(id: string, cgroup: CgroupDirectories | undefined): Promise<void> {
    const runtime = await this.runtime();
    const root = join(runtime.root, NAMESPACE);
    if (runtime.binary !== undefined && (await exists(join(root, id)))) await deleteForcibly(runtime.binary, root, id);
    // A create that was interrupted leaves a process which the runtime has not noted down yet.
    await cgroup?.remove();
    await rm(join(root, id), { recursive: true, force: true });
  }

  /** The programs are looked up again at the next use, because the configuration names others. */
  forgetPrograms(): void {
    this.prepared = undefined;
  }

  private runtime(): Promise<OciRuntime> {
    this.prepared ??= this.parts.prepare().catch((error) => {
      // It may be installed meanwhile.
      this.prepared = undefined;
      throw error;
    });
    return this.prepared;
  }

  private bundle(id: string): string {
    return join(this.parts.directory, id);
  }
}

/** Only a group that is the container's own; one that others share is nobody's to empty. */
async function cgroupOf(id: string, spec: OciSpec | undefined): Promise<CgroupDirectories | undefined> {
  const path = spec?.linux.cgroupsPath;
  return path?.endsWith(id) ? CgroupDirectories.of(path) : undefined;
}

async function readSpec(bundle: string): Promise<OciSpec | undefined> {
  try {
    return parseJson(await readFile(join(bundle, CONFIG), 'utf8')) as OciSpec;
  } catch {
    // Killed before it was written whole.
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

import { access, mkdir, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What a plugin's process, with all its children, may use. */
export interface ProcessLimits {
  readonly memoryBytes?: number;
  /** Of processors: 0.5 is half of one. */
  readonly cpus?: number;
  readonly pids?: number;
}

const root = '/sys/fs/cgroup';
const cpuPeriodUs = 100_000;

/** A control group of its own for one process. */
export class LimitedGroup {
  private constructor(private readonly folders: readonly string[]) {}

  /** @throws Error  the kernel cannot limit what is to be limited */
  static async make(name: string, limits: ProcessLimits): Promise<LimitedGroup> {
    const unified = await exists(join(root, 'cgroup.controllers'));
    const group = `gantry-plugins/${name}`;
    const files = unified ? unifiedFiles(limits) : controllerFiles(limits);
    const folders = [...new Set(files.map(({ controller }) => join(root, unified ? '' : controller, group)))];
    const made = new LimitedGroup(folders);
    try {
      for (const folder of folders) await mkdir(folder, { recursive: true });
      if (unified)
        for (const above of [root, dirname(folders[0] ?? join(root, group))])
          await writeFile(join(above, 'cgroup.subtree_control'), '+memory +cpu +pids');
      for (const { controller, file, value } of files)
        await writeFile(join(root, unified ? '' : controller, group, file), value);
    } catch (error) {
      await made.remove();
      throw new Error(`its limits cannot be set: ${(error as Error).message}`, { cause: error });
    }
    return made;
  }

  async add(pid: number): Promise<void> {
    for (const folder of this.folders) await writeFile(join(folder, 'cgroup.procs'), String(pid));
  }

  /** Fails silently while something runs in it. Repeatable. */
  async remove(): Promise<void> {
    for (const folder of this.folders)
      await rmdir(folder)
        .then(() => rmdir(dirname(folder)))
        .catch(() => undefined);
  }
}

interface LimitFile {
  readonly controller: string;
  readonly file: string;
  readonly value: string;
}

function controllerFiles({ memoryBytes, cpus, pids }: ProcessLimits): LimitFile[] {
  const files: LimitFile[] = [];
  if (memoryBytes !== undefined)
    files.push({ controller: 'memory', file: 'memory.limit_in_bytes', value: String(memoryBytes) });
  if (cpus !== undefined) files.push({ controller: 'cpu', file: 'cpu.cfs_quota_us', value: quota(cpus) });
  if (pids !== undefined) files.push({ controller: 'pids', file: 'pids.max', value: String(pids) });
  return files;
}

function unifiedFiles({ memoryBytes, cpus, pids }: ProcessLimits): LimitFile[] {
  const files: LimitFile[] = [];
  if (memoryBytes !== undefined) files.push({ controller: '', file: 'memory.max', value: String(memoryBytes) });
  if (cpus !== undefined) files.push({ controller: '', file: 'cpu.max', value: `${quota(cpus)} ${cpuPeriodUs}` });
  if (pids !== undefined) files.push({ controller: '', file: 'pids.max', value: String(pids) });
  return files;
}

const quota = (cpus: number): string => String(Math.round(cpus * cpuPeriodUs));

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@gantry/sdk';

/** Processes that were killed a moment ago still count. */
const REMOVE_ATTEMPTS = 20;
const REMOVE_PAUSE_MS = 10;

/**
 * Where a container's cgroup is in the file system.
 *
 * @param cgroupsPath as in the OCI spec: a path for cgroupfs, `slice:prefix:name` for systemd
 */
export class CgroupDirectories {
  private constructor(
    private readonly byController: ReadonlyMap<string, string>,
    private readonly unified: string | undefined,
    private readonly relativePath: string,
  ) {}

  /** @param mounts the hierarchies of another machine; default: this one's */
  static async of(cgroupsPath: string, mounts?: CgroupMounts): Promise<CgroupDirectories> {
    const { controllers, unified } = mounts ?? (await cgroupMounts());
    return new CgroupDirectories(controllers, unified, relativePathOf(cgroupsPath));
  }

  /** Pids of every process in it, sub-groups included. Empty when the group is gone. */
  async pids(): Promise<number[]> {
    const base = this.directory('pids') ?? this.directory('freezer') ?? this.directory('memory');
    return base === undefined ? [] : [...new Set(await pidsBelow(base))];
  }

  /** Freezes its processes or lets them go on. No error when the group is gone. */
  async freeze(frozen: boolean): Promise<void> {
    const v1 = this.byController.get('freezer');
    const [base, file, word] =
      v1 === undefined
        ? [this.unified ?? '/sys/fs/cgroup', 'cgroup.freeze', frozen ? '1' : '0']
        : [v1, 'freezer.state', frozen ? 'FROZEN' : 'THAWED'];
    await writeFile(join(base, this.relativePath, file), word).catch(() => undefined);
  }

  /** It may have as many processes as the groups above it. */
  async liftProcessLimit(): Promise<void> {
    const base = this.directory('pids');
    if (base !== undefined) await writeFile(join(base, 'pids.max'), 'max');
  }

  /** How often the OOM killer struck inside. Undefined when the group or its memory controller is not there. */
  async oomKills(): Promise<number | undefined> {
    const v1 = this.byController.get('memory');
    const file =
      v1 !== undefined
        ? join(v1, this.relativePath, 'memory.oom_control')
        : join(this.unified ?? '/sys/fs/cgroup', this.relativePath, 'memory.events');
    try {
      const count = /^oom_kill (\d+)$/m.exec(await readFile(file, 'utf8'))?.[1];
      return count === undefined ? undefined : Number(count);
    } catch {
      return undefined;
    }
  }

  /**
   * Ends what is left in it and removes it from every hierarchy.
   * @returns false when something of it stays
   */
  async remove(): Promise<boolean> {
    const bases = new Set([...this.byController.values(), ...(this.unified ? [this.unified] : [])]);
    const directories = [...bases].map((base) => join(base, this.relativePath));
    for (let attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
      if (attempt > 0) {
        for (const pid of await this.pids()) kill(pid);
        await systemClock.sleep(REMOVE_PAUSE_MS);
      }
      const gone = await Promise.all(directories.map(removeBelow));
      if (gone.every(Boolean)) return true;
    }
    return false;
  }

  private directory(controller: string): string | undefined {
    const base = this.byController.get(controller) ?? (this.byController.size === 0 ? this.unified : undefined);
    return base === undefined ? undefined : join(base, this.relativePath);
  }
}

/** @see runc's cgroup drivers: `a-b.slice` lives inside `a.slice`, the container is `prefix-name.scope`. */
export function relativePathOf(cgroupsPath: string): string {
  const parts = cgroupsPath.split(':');
  if (parts.length !== 3) return cgroupsPath;
  const [slice = '', prefix, name] = parts;
  const segments = slice.replace(/\.slice$/, '').split('-');
  const parents =
    slice === '' ? ['system.slice'] : segments.map((_, i) => `${segments.slice(0, i + 1).join('-')}.slice`);
  return join('/', ...parents, `${prefix}-${name}.scope`);
}

interface CgroupMounts {
  readonly controllers: ReadonlyMap<string, string>;
  readonly unified: string | undefined;
}

let mounts: Promise<CgroupMounts> | undefined;

/** The hierarchies of this machine; they do not change while it runs. */
function cgroupMounts(): Promise<CgroupMounts> {
  mounts ??= readFile('/proc/self/mountinfo', 'utf8').then(parseCgroupMounts);
  return mounts;
}

export function parseCgroupMounts(mountinfo: string): CgroupMounts {
  const controllers = new Map<string, string>();
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const target = before?.split(' ')[4];
    const [type, , options = ''] = after?.split(' ') ?? [];
    if (target === undefined) continue;
    if (type === 'cgroup2') unified ??= target;
    if (type === 'cgroup')
      for (const option of options.split(',')) if (option !== 'rw') controllers.set(option, target);
  }
  return { controllers, unified };
}

async function pidsBelow(directory: string): Promise<number[]> {
  try {
    const [text, entries] = await Promise.all([
      readFile(join(directory, 'cgroup.procs'), 'utf8'),
      readdir(directory, { withFileTypes: true }),
    ]);
    const below = await Promise.all(
      entries.filter((entry) => entry.isDirectory()).map((entry) => pidsBelow(join(directory, entry.name))),
    );
    return [...text.split('\n').filter(Boolean).map(Number), ...below.flat()];
  } catch {
    return [];
  }
}

async function removeBelow(directory: string): Promise<boolean> {
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    // It has sub-groups or processes. (Files do not count: a cgroup's go with it.)
    if (code !== 'EBUSY' && code !== 'ENOTEMPTY') return false;
  }
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const groups = entries.filter((entry) => entry.isDirectory());
  if (groups.length === 0) return false;
  const gone = await Promise.all(groups.map((entry) => removeBelow(join(directory, entry.name))));
  return gone.every(Boolean) && removeBelow(directory);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

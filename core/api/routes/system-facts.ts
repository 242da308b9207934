import { readFile } from 'node:fs/promises';
import os from 'node:os';

/** Architecture as image platforms name it: `amd64`, `arm64`. */
export function goArchitecture(): string {
  const known: Record<string, string> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', mipsel: 'mipsle' };
  return known[process.arch] ?? process.arch;
}

/** Name and version of the operating system from os-release(5). */
export async function operatingSystem(): Promise<{ name: string; version: string }> {
  const text = await readFile('/etc/os-release', 'utf8')
    .catch(() => readFile('/usr/lib/os-release', 'utf8'))
    .catch(() => '');
  const value = (key: string) =>
    text
      .split('\n')
      .find((line) => line.startsWith(`${key}=`))
      ?.slice(key.length + 1)
      .replace(/^(["'])(.*)\1$/, '$2');
  return { name: value('PRETTY_NAME') ?? os.type(), version: value('VERSION_ID') ?? '' };
}

/** Bytes of memory the daemon may count on, from /proc/meminfo. */
export async function totalMemoryBytes(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '');
  const kibibytes = /^MemTotal:\s+(\d+) kB$/m.exec(text)?.[1];
  return kibibytes === undefined ? os.totalmem() : Number(kibibytes) * 1024;
}

/** Which limits this kernel can enforce. */
export interface CgroupFacts {
  readonly version: '1' | '2';
  readonly memoryLimit: boolean;
  readonly swapLimit: boolean;
  readonly cpuCfs: boolean;
  readonly cpuShares: boolean;
  readonly cpuSet: boolean;
  readonly pidsLimit: boolean;
  readonly oomKillDisable: boolean;
}

let known: Promise<CgroupFacts> | undefined;

/** Read once: controllers are mounted before a daemon starts and stay. */
export function cgroupFacts(): Promise<CgroupFacts> {
  known ??= readCgroupFacts('/sys/fs/cgroup');
  return known;
}

async function readCgroupFacts(root: string): Promise<CgroupFacts> {
  const unified = await readFile(`${root}/cgroup.controllers`, 'utf8').catch(() => undefined);
  if (unified !== undefined) {
    const controllers = new Set(unified.trim().split(/\s+/));
    return {
      version: '2',
      memoryLimit: controllers.has('memory'),
      swapLimit: controllers.has('memory'),
      cpuCfs: controllers.has('cpu'),
      cpuShares: controllers.has('cpu'),
      cpuSet: controllers.has('cpuset'),
      pidsLimit: controllers.has('pids'),
      oomKillDisable: false,
    };
  }
  const has = (file: string) =>
    readFile(`${root}/${file}`).then(
      () => true,
      () => false,
    );
  const [memoryLimit, swapLimit, cpuCfs, cpuShares, cpuSet, pidsLimit, oomKillDisable] = await Promise.all([
    has('memory/memory.limit_in_bytes'),
    has('memory/memory.memsw.limit_in_bytes'),
    has('cpu/cpu.cfs_quota_us'),
    has('cpu/cpu.shares'),
    has('cpuset/cpuset.cpus'),
    has('pids/cgroup.procs'),
    has('memory/memory.oom_control'),
  ]);
  return { version: '1', memoryLimit, swapLimit, cpuCfs, cpuShares, cpuSet, pidsLimit, oomKillDisable } as CgroupFacts;
}

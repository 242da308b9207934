import { readFile } from 'node:fs/promises';
import os from 'node:os';

/** Architecture as image platforms name it: `amd64`, `arm64`. */
export function goArchitecture(): string {
  const known: Record<string, string> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le', mipsel: 'mipsle' };
  return known[process.arch] ?? process.arch;
}

/** What os-release(5) says. */
export interface OperatingSystem {
  readonly name: string;
  readonly version: string;
}

const osReleaseMs = 60_000;
let osRelease: { readonly value: Promise<OperatingSystem>; readonly untilMs: number } | undefined;

/** Name and version of the operating system; an upgrade under a running daemon shows within a minute. */
export function operatingSystem(): Promise<OperatingSystem> {
  const nowMs = performance.now();
  if (osRelease === undefined || nowMs > osRelease.untilMs)
    osRelease = { value: readOsRelease(), untilMs: nowMs + osReleaseMs };
  return osRelease.value;
}

async function readOsRelease(): Promise<OperatingSystem> {
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

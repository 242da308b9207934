import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Which limits this machine's control groups can keep. @see kernel, admin-guide/cgroup-v1 and cgroup-v2 */
export interface LimitSupport {
  readonly memory: boolean;
  readonly swap: boolean;
  readonly memoryReservation: boolean;
  readonly memorySwappiness: boolean;
  readonly oomKillDisable: boolean;
  readonly cpuShares: boolean;
  readonly cpuQuota: boolean;
  readonly cpuRealtime: boolean;
  readonly cpuset: boolean;
  readonly pids: boolean;
  readonly blkioWeight: boolean;
  readonly blkioWeightDevice: boolean;
  readonly blkioThrottle: boolean;
  /** Processors and memory nodes that may be asked for, such as `0-3,6`. */
  readonly cpus: string;
  readonly mems: string;
}

/** Everything there is: what a test or a daemon that cannot look assumes. */
export const allLimits: LimitSupport = {
  memory: true,
  swap: true,
  memoryReservation: true,
  memorySwappiness: true,
  oomKillDisable: true,
  cpuShares: true,
  cpuQuota: true,
  cpuRealtime: true,
  cpuset: true,
  pids: true,
  blkioWeight: true,
  blkioWeightDevice: true,
  blkioThrottle: true,
  cpus: '',
  mems: '',
};

/** @param root where the hierarchies are mounted: `/sys/fs/cgroup` */
export async function lookUpLimits(root: string, version: 1 | 2): Promise<LimitSupport> {
  return version === 2 ? unifiedLimits(root) : legacyLimits(root);
}

async function legacyLimits(root: string): Promise<LimitSupport> {
  const of = (controller: string) => filesOf(join(root, controller));
  const [memory, cpu, cpuset, pids, blkio] = await Promise.all([
    of('memory'),
    of('cpu'),
    of('cpuset'),
    of('pids'),
    of('blkio'),
  ]);
  const [cpus, mems] = await Promise.all([
    textOf(join(root, 'cpuset', 'cpuset.cpus')),
    textOf(join(root, 'cpuset', 'cpuset.mems')),
  ]);
  // The scheduler that knows weights shows them in the groups below the root only.
  const bfq = blkio.has('blkio.bfq.io_service_bytes');
  return {
    memory: memory.has('memory.limit_in_bytes'),
    swap: memory.has('memory.memsw.limit_in_bytes'),
    memoryReservation: memory.has('memory.soft_limit_in_bytes'),
    memorySwappiness: memory.has('memory.swappiness'),
    oomKillDisable: memory.has('memory.oom_control'),
    cpuShares: cpu.has('cpu.shares'),
    cpuQuota: cpu.has('cpu.cfs_quota_us'),
    cpuRealtime: cpu.has('cpu.rt_runtime_us'),
    cpuset: cpuset.has('cpuset.cpus'),
    pids: pids.has('cgroup.procs'),
    blkioWeight: bfq || blkio.has('blkio.weight'),
    blkioWeightDevice: bfq || blkio.has('blkio.weight_device'),
    blkioThrottle: blkio.has('blkio.throttle.read_bps_device'),
    cpus,
    mems,
  };
}

async function unifiedLimits(root: string): Promise<LimitSupport> {
  const [controllers, cpus, mems, swaps] = await Promise.all([
    textOf(join(root, 'cgroup.controllers')),
    textOf(join(root, 'cpuset.cpus.effective')),
    textOf(join(root, 'cpuset.mems.effective')),
    hasSwapFile(root),
  ]);
  const has = new Set(controllers.split(' '));
  return {
    memory: has.has('memory'),
    swap: has.has('memory') && swaps,
    memoryReservation: has.has('memory'),
    memorySwappiness: false,
    oomKillDisable: false,
    cpuShares: has.has('cpu'),
    cpuQuota: has.has('cpu'),
    cpuRealtime: false,
    cpuset: has.has('cpuset'),
    pids: has.has('pids'),
    blkioWeight: has.has('io'),
    blkioWeightDevice: has.has('io'),
    blkioThrottle: has.has('io'),
    cpus,
    mems,
  };
}

/** The root group has none of its own; a kernel without swap accounting gives it to no group. */
async function hasSwapFile(root: string): Promise<boolean> {
  const groups = await readdir(root, { withFileTypes: true }).catch(() => []);
  for (const group of groups) {
    if (!group.isDirectory()) continue;
    const files = await filesOf(join(root, group.name));
    if (files.has('memory.max')) return files.has('memory.swap.max');
  }
  // No group has the memory controller yet: kernels of today count swap unless told not to.
  return !/\bswapaccount=0\b/.test(await textOf('/proc/cmdline'));
}

async function filesOf(directory: string): Promise<Set<string>> {
  return new Set(await readdir(directory).catch(() => []));
}

async function textOf(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).trim();
}

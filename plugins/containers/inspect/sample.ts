import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { type CgroupDirectories, cgroupDirectories, parseKeyed, parseNumber, readCgroupFile } from './cgroup-files';

export interface BlockIoEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

/** Counters of a container at one moment. Times in nanoseconds, sizes in bytes. */
export interface Sample {
  readonly cpu: {
    readonly totalNs: number;
    readonly kernelNs: number;
    readonly userNs: number;
    readonly perCpuNs: readonly number[] | undefined;
    readonly systemNs: number;
    readonly onlineCpus: number;
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    readonly usage: number;
    readonly maxUsage: number | undefined;
    readonly limit: number;
    readonly failures: number | undefined;
    readonly stats: Readonly<Record<string, number>>;
  };
  readonly pids: { readonly current: number; readonly limit: number | undefined };
  readonly blockIo: { readonly bytes: readonly BlockIoEntry[]; readonly operations: readonly BlockIoEntry[] };
  readonly networks: Readonly<Record<string, readonly number[]>>;
}

/** Ticks per second of /proc: fixed for every architecture Linux has today. */
const TICKS = 100;

/** @param ownNetwork false = it has the host's or another container's interfaces, which are not its own */
export async function takeSample(pid: number, cgroupVersion: 1 | 2, ownNetwork: boolean): Promise<Sample> {
  const directories = await cgroupDirectories(pid);
  const [parts, systemNs, networks] = await Promise.all([
    cgroupVersion === 2 ? readUnified(directories.get('')) : readSplit(directories),
    systemCpuNs(),
    ownNetwork ? readNetworks(pid) : {},
  ]);
  return { ...parts, cpu: { ...parts.cpu, systemNs, onlineCpus: availableParallelism() }, networks };
}

type CgroupPart = Omit<Sample, 'networks' | 'cpu'> & { readonly cpu: Omit<Sample['cpu'], 'systemNs' | 'onlineCpus'> };

/** @param directories by controller, of version 1 */
export async function readSplit(directories: CgroupDirectories): Promise<CgroupPart> {
  const read = (controller: string, name: string) => readCgroupFile(directories.get(controller), name);
  const [
    usage,
    perCpu,
    stat,
    throttling,
    memory,
    maximum,
    limit,
    failures,
    memoryStat,
    pids,
    pidsMax,
    bytes,
    operations,
  ] = await Promise.all([
    read('cpuacct', 'cpuacct.usage'),
    read('cpuacct', 'cpuacct.usage_percpu'),
    read('cpuacct', 'cpuacct.stat'),
    read('cpu', 'cpu.stat'),
    read('memory', 'memory.usage_in_bytes'),
    read('memory', 'memory.max_usage_in_bytes'),
    read('memory', 'memory.limit_in_bytes'),
    read('memory', 'memory.failcnt'),
    read('memory', 'memory.stat'),
    read('pids', 'pids.current'),
    read('pids', 'pids.max'),
    read('blkio', 'blkio.throttle.io_service_bytes_recursive'),
    read('blkio', 'blkio.throttle.io_serviced_recursive'),
  ]);
  const ticks = parseKeyed(stat);
  const throttled = parseKeyed(throttling);
  return {
    cpu: {
      totalNs: parseNumber(usage) ?? 0,
      kernelNs: (ticks.system ?? 0) * (1e9 / TICKS),
      userNs: (ticks.user ?? 0) * (1e9 / TICKS),
      perCpuNs: perCpu.trim() === '' ? undefined : perCpu.trim().split(/\s+/).map(Number),
      periods: throttled.nr_periods ?? 0,
      throttledPeriods: throttled.nr_throttled ?? 0,
      throttledNs: throttled.throttled_time ?? 0,
    },
    memory: {
      usage: parseNumber(memory) ?? 0,
      maxUsage: parseNumber(maximum),
      limit: withinMachine(parseNumber(limit)),
      failures: parseNumber(failures),
      stats: parseKeyed(memoryStat),
    },
    pids: { current: parseNumber(pids) ?? 0, limit: parseNumber(pidsMax) },
    blockIo: { bytes: parseBlkio(bytes), operations: parseBlkio(operations) },
  };
}

/** @param directory of the one group of version 2 */
export async function readUnified(directory: string | undefined): Promise<CgroupPart> {
  const read = (name: string) => readCgroupFile(directory, name);
  const [cpuStat, memory, limit, memoryStat, memoryEvents, pids, pidsMax, io] = await Promise.all([
    read('cpu.stat'),
    read('memory.current'),
    read('memory.max'),
    read('memory.stat'),
    read('memory.events'),
    read('pids.current'),
    read('pids.max'),
    read('io.stat'),
  ]);
  const cpu = parseKeyed(cpuStat);
  return {
    cpu: {
      totalNs: (cpu.usage_usec ?? 0) * 1000,
      kernelNs: (cpu.system_usec ?? 0) * 1000,
      userNs: (cpu.user_usec ?? 0) * 1000,
      perCpuNs: undefined,
      periods: cpu.nr_periods ?? 0,
      throttledPeriods: cpu.nr_throttled ?? 0,
      throttledNs: (cpu.throttled_usec ?? 0) * 1000,
    },
    memory: {
      usage: parseNumber(memory) ?? 0,
      maxUsage: undefined,
      limit: withinMachine(parseNumber(limit)),
      // The nearest to the count of failed charges that this hierarchy has.
      failures: parseKeyed(memoryEvents).oom,
      stats: parseKeyed(memoryStat),
    },
    pids: { current: parseNumber(pids) ?? 0, limit: parseNumber(pidsMax) },
    blockIo: parseIoStat(io),
  };
}

/** v1: `8:0 Read 4096`. */
export function parseBlkio(content: string): BlockIoEntry[] {
  return content.split('\n').flatMap((line) => {
    const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
    if (!match) return [];
    return [{ major: Number(match[1]), minor: Number(match[2]), op: match[3]!, value: Number(match[4]) }];
  });
}

/** v2: `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …`. */
export function parseIoStat(content: string): { bytes: BlockIoEntry[]; operations: BlockIoEntry[] } {
  const bytes: BlockIoEntry[] = [];
  const operations: BlockIoEntry[] = [];
  for (const line of content.split('\n')) {
    const match = /^(\d+):(\d+) (.*)$/.exec(line);
    if (!match) continue;
    const [major, minor] = [Number(match[1]), Number(match[2])];
    const values = Object.fromEntries((match[3] ?? '').split(' ').map((pair) => pair.split('=')));
    for (const [op, byteKey, operationKey] of [
      ['read', 'rbytes', 'rios'],
      ['write', 'wbytes', 'wios'],
    ] as const) {
      if (values[byteKey] !== undefined) bytes.push({ major, minor, op, value: Number(values[byteKey]) });
      if (values[operationKey] !== undefined)
        operations.push({ major, minor, op, value: Number(values[operationKey]) });
    }
  }
  return { bytes, operations };
}

// "No limit" is a huge number in v1 and absent in v2: the machine's memory is what it comes to.
const withinMachine = (limit: number | undefined): number => Math.min(limit ?? Number.POSITIVE_INFINITY, totalmem());

async function systemCpuNs(): Promise<number> {
  const [first = ''] = (await readFile('/proc/stat', 'utf8')).split('\n', 1);
  // user nice system idle iowait irq softirq; guest time is part of user time.
  const ticks = first.trim().split(/\s+/).slice(1, 8).map(Number);
  return ticks.reduce((sum, value) => sum + value, 0) * (1e9 / TICKS);
}

async function readNetworks(pid: number): Promise<Record<string, number[]>> {
  const networks: Record<string, number[]> = {};
  const content = await readFile(`/proc/${pid}/net/dev`, 'utf8').catch(() => '');
  for (const line of content.split('\n').slice(2)) {
    const [name, counters] = line.split(':');
    if (!name || counters === undefined || name.trim() === 'lo') continue;
    networks[name.trim()] = counters.trim().split(/\s+/).map(Number);
  }
  return networks;
}

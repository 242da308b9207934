import { availableParallelism } from 'node:os';
import { invalidParameter } from '@gantry/sdk';
import type { HostConfig } from '../config/container-config';
import { allLimits, type LimitSupport } from '../spec/limit-support';

const MINIMUM_MEMORY = 6 * 1024 * 1024;
const MIN_CPU_SHARES = 2;
const MAX_CPU_SHARES = 262_144;

/**
 * Checks the limits of a container, and takes out those this kernel cannot keep, each with a warning.
 *
 * @param options.update  swap may then be set where the memory limit stays as it is
 * @returns the limits that will be set, and warnings for the client
 * @throws invalid-parameter  a limit is out of range or contradicts another
 */
export function adaptLimits(
  given: HostConfig,
  support: LimitSupport = allLimits,
  options: { readonly update: boolean } = { update: false },
): { readonly host: HostConfig; readonly warnings: string[] } {
  const host: HostConfig = { ...given };
  const warnings: string[] = [];
  validateRanges(host);
  discardMemory(host, support, warnings);
  validateMemory(host, options.update);
  validateCpu(host, support);
  discardOthers(host, support, warnings);
  if (host.OomKillDisable && host.Memory === 0)
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  return { host, warnings };
}

/** @returns warnings. @throws invalid-parameter */
export function validateResources(host: HostConfig, support: LimitSupport = allLimits, update = false): string[] {
  return adaptLimits(host, support, { update }).warnings;
}

const kernelLacks = (what: string, verdict: string) =>
  `Your kernel does not support ${what} or the cgroup is not mounted. ${verdict}`;

function discardMemory(host: HostConfig, support: LimitSupport, warnings: string[]): void {
  if (host.Memory > 0 && !support.memory) {
    warnings.push(kernelLacks('memory limit capabilities', 'Limitation discarded.'));
    host.Memory = 0;
    host.MemorySwap = -1;
  }
  if (host.Memory > 0 && host.MemorySwap !== -1 && !support.swap) {
    warnings.push(kernelLacks('swap limit capabilities', 'Memory limited without swap.'));
    host.MemorySwap = -1;
  }
  if (host.MemorySwappiness !== null && host.MemorySwappiness !== -1 && !support.memorySwappiness) {
    warnings.push(kernelLacks('memory swappiness capabilities', 'Memory swappiness discarded.'));
    host.MemorySwappiness = null;
  }
  if (host.MemoryReservation > 0 && !support.memoryReservation) {
    warnings.push(kernelLacks('memory soft limit capabilities', 'Limitation discarded.'));
    host.MemoryReservation = 0;
  }
  if (host.OomKillDisable !== null && !support.oomKillDisable) {
    if (host.OomKillDisable) warnings.push('Your kernel does not support OomKillDisable. OomKillDisable discarded.');
    host.OomKillDisable = null;
  }
}

function discardOthers(host: HostConfig, support: LimitSupport, warnings: string[]): void {
  // Kept in the record: compose files are shared with Windows, and clients compare what they find with what they asked.
  for (const [field, instead] of WINDOWS_LIMITS)
    if (host[field] !== 0)
      warnings.push(`${field} is an option of Windows containers and limits nothing here: use ${instead}`);
  if (host.PidsLimit !== null && !support.pids) {
    if (host.PidsLimit > 0) warnings.push(kernelLacks('PIDs limit capabilities', 'PIDs limit discarded.'));
    host.PidsLimit = null;
  }
  if (host.CpuShares > 0 && !support.cpuShares) {
    warnings.push(kernelLacks('CPU shares', 'Shares discarded.'));
    host.CpuShares = 0;
  }
  if ((host.CpuPeriod !== 0 || host.CpuQuota !== 0) && !support.cpuQuota) {
    warnings.push('Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.');
    host.CpuPeriod = 0;
    host.CpuQuota = 0;
  }
  if ((host.CpusetCpus !== '' || host.CpusetMems !== '') && !support.cpuset) {
    warnings.push(kernelLacks('cpuset', 'Cpuset discarded.'));
    host.CpusetCpus = '';
    host.CpusetMems = '';
  }
  if (host.BlkioWeight > 0 && !support.blkioWeight) {
    warnings.push(kernelLacks('Block I/O weight', 'Weight discarded.'));
    host.BlkioWeight = 0;
  }
  if (host.BlkioWeightDevice?.length && !support.blkioWeightDevice) {
    warnings.push(kernelLacks('Block I/O weight_device', 'Weight-device discarded.'));
    host.BlkioWeightDevice = [];
  }
  const throttles = [
    ['BlkioDeviceReadBps', 'BPS Block I/O read limit', 'Block I/O BPS read limit discarded.'],
    ['BlkioDeviceWriteBps', 'BPS Block I/O write limit', 'Block I/O BPS write limit discarded.'],
    ['BlkioDeviceReadIOps', 'IOPS Block read limit', 'Block I/O IOPS read limit discarded.'],
    ['BlkioDeviceWriteIOps', 'IOPS Block write limit', 'Block I/O IOPS write limit discarded.'],
  ] as const;
  for (const [field, what, verdict] of throttles)
    if (host[field]?.length && !support.blkioThrottle) {
      warnings.push(kernelLacks(what, verdict));
      host[field] = [];
    }
}

/** @throws invalid-parameter */
export function assertEnoughMemory(bytes: number): void {
  if (bytes !== 0 && bytes < MINIMUM_MEMORY) throw invalidParameter('Minimum memory limit allowed is 6MB');
}

function validateMemory(host: HostConfig, update: boolean): void {
  const { Memory, MemorySwap, MemoryReservation } = host;
  assertEnoughMemory(Memory);
  if (MemorySwap < -1) throw invalidParameter(`Invalid value for MemorySwap: ${MemorySwap}, use -1 for unlimited swap`);
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory)
    throw invalidParameter('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (Memory === 0 && MemorySwap > 0 && !update)
    throw invalidParameter('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (MemoryReservation !== 0 && MemoryReservation < MINIMUM_MEMORY)
    throw invalidParameter('Minimum memory reservation allowed is 6MB');
  if (Memory > 0 && MemoryReservation > 0 && Memory < MemoryReservation)
    throw invalidParameter('Minimum memory limit can not be less than memory reservation limit, see usage');
}

function validateRanges(host: HostConfig): void {
  const { MemorySwappiness } = host;
  if (MemorySwappiness !== null && (MemorySwappiness < -1 || MemorySwappiness > 100))
    throw invalidParameter(`Invalid value: ${MemorySwappiness}, valid memory swappiness range is 0-100`);
  if (host.KernelMemory)
    throw invalidParameter('kernel memory limit is not supported by this kernel: remove KernelMemory');
  if (host.KernelMemoryTCP)
    throw invalidParameter('kernel TCP memory limit is not supported by OCI runtimes: remove KernelMemoryTCP');
  if (host.BlkioWeight !== 0 && (host.BlkioWeight < 10 || host.BlkioWeight > 1000))
    throw invalidParameter('Range of blkio weight is from 10 to 1000');
  for (const { Path, Weight } of host.BlkioWeightDevice ?? [])
    if (Weight < 10 || Weight > 1000)
      throw invalidParameter(`invalid weight for device ${Path}: range of blkio weight is from 10 to 1000`);
  for (const field of THROTTLES)
    for (const { Path, Rate } of host[field] ?? [])
      if (Rate < 0) throw invalidParameter(`${field}: invalid rate for device ${Path}: it must be a positive integer`);
  if (host.IOMaximumBandwidth !== 0)
    throw invalidParameter('invalid option: QoS maximum bandwidth configuration is not supported on linux');
  if (host.IOMaximumIOps !== 0)
    throw invalidParameter('invalid option: QoS maximum IOPs configuration is not supported on linux');
}

const WINDOWS_LIMITS = [
  ['CpuCount', 'NanoCpus or CpusetCpus'],
  ['CpuPercent', 'NanoCpus, or CpuQuota with CpuPeriod'],
] as const;

const THROTTLES = ['BlkioDeviceReadBps', 'BlkioDeviceWriteBps', 'BlkioDeviceReadIOps', 'BlkioDeviceWriteIOps'] as const;

function validateCpu(host: HostConfig, support: LimitSupport): void {
  if (host.NanoCpus > 0 && host.CpuPeriod > 0)
    throw invalidParameter('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (host.NanoCpus > 0 && host.CpuQuota > 0)
    throw invalidParameter('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  if (host.NanoCpus > 0 && !support.cpuQuota)
    throw invalidParameter(
      'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted',
    );
  const cpus = availableParallelism();
  if (host.NanoCpus !== 0 && (host.NanoCpus < 1e7 || host.NanoCpus > cpus * 1e9))
    throw invalidParameter(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  if (host.CpuPeriod !== 0 && (host.CpuPeriod < 1000 || host.CpuPeriod > 1_000_000))
    throw invalidParameter('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (host.CpuQuota > 0 && host.CpuQuota < 1000)
    throw invalidParameter('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if (host.CpuShares < 0)
    throw invalidParameter(`invalid CPU shares (${host.CpuShares}): value must be a positive integer`);
  // As dockerd does, for old clients' sake: the kernel would refuse less than two.
  if (host.CpuShares > 0) host.CpuShares = Math.min(Math.max(host.CpuShares, MIN_CPU_SHARES), MAX_CPU_SHARES);
  if ((host.CpuRealtimePeriod !== 0 || host.CpuRealtimeRuntime !== 0) && !support.cpuRealtime)
    throw invalidParameter('kernel does not support CPU real-time scheduler');
  if (host.CpuRealtimePeriod !== 0 && host.CpuRealtimeRuntime !== 0 && host.CpuRealtimeRuntime > host.CpuRealtimePeriod)
    throw invalidParameter('cpu real-time runtime cannot be higher than cpu real-time period');
  validateSet(host.CpusetCpus, support.cpus || defaultCpus(cpus), 'cpus', 'CPUs');
  validateSet(host.CpusetMems, support.mems || '0', 'mems', 'memory nodes');
}

const defaultCpus = (count: number): string => (count > 1 ? `0-${count - 1}` : '0');
const LIST = /^\d+(-\d+)?(,\d+(-\d+)?)*$/;

function validateSet(wanted: string, available: string, name: string, title: string): void {
  if (wanted === '') return;
  if (!LIST.test(wanted) || wanted.length > 1000 || ranges(wanted).some(([from, to]) => from > to))
    throw invalidParameter(`Invalid value ${wanted} for cpuset ${name}: invalid format: ${wanted}`);
  const there = members(available);
  if (ranges(wanted).some(([from, to]) => to - from > 8192 || !within(from, to, there)))
    throw invalidParameter(`Requested ${title} are not available - requested ${wanted}, available: ${available}`);
}

function ranges(list: string): [number, number][] {
  return list.split(',').map((part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return [from, to];
  });
}

function members(list: string): Set<number> {
  const found = new Set<number>();
  for (const [from, to] of ranges(list)) for (let number = from; number <= to; number++) found.add(number);
  return found;
}

function within(from: number, to: number, there: ReadonlySet<number>): boolean {
  for (let number = from; number <= to; number++) if (!there.has(number)) return false;
  return from <= to;
}

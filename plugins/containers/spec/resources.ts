import type { OciResources } from '@gantry/sdk';
import type { HostConfig, UpdateRequest } from '../config/container-config';

export const CPU_PERIOD_US = 100_000;

/** A block device for the throttles, found by the caller. */
export type BlockDevices = ReadonlyMap<string, { readonly major: number; readonly minor: number }>;

type Limits = Pick<HostConfig, Exclude<keyof UpdateRequest, 'RestartPolicy' | 'Init'>>;

/** Cgroup limits (devices apart). Only what was asked is set: the kernel's defaults stay. */
export function resourceLimits(limits: Limits, devices: BlockDevices = new Map()): OciResources {
  const resources: OciResources = {};
  const memory: NonNullable<OciResources['memory']> = {};
  if (limits.Memory > 0) memory.limit = limits.Memory;
  if (limits.MemoryReservation > 0) memory.reservation = limits.MemoryReservation;
  if (limits.MemorySwap !== 0) memory.swap = limits.MemorySwap;
  if (limits.MemorySwappiness !== null && limits.MemorySwappiness >= 0) memory.swappiness = limits.MemorySwappiness;
  if (limits.OomKillDisable) memory.disableOOMKiller = true;
  if (Object.keys(memory).length > 0) resources.memory = memory;

  const cpu: NonNullable<OciResources['cpu']> = {};
  if (limits.CpuShares > 0) cpu.shares = limits.CpuShares;
  if (limits.NanoCpus > 0) {
    cpu.period = CPU_PERIOD_US;
    cpu.quota = Math.floor((limits.NanoCpus * CPU_PERIOD_US) / 1e9);
  }
  if (limits.CpuPeriod > 0) cpu.period = limits.CpuPeriod;
  if (limits.CpuQuota !== 0) cpu.quota = limits.CpuQuota;
  if (limits.CpuRealtimePeriod > 0) cpu.realtimePeriod = limits.CpuRealtimePeriod;
  if (limits.CpuRealtimeRuntime > 0) cpu.realtimeRuntime = limits.CpuRealtimeRuntime;
  if (limits.CpusetCpus !== '') cpu.cpus = limits.CpusetCpus;
  if (limits.CpusetMems !== '') cpu.mems = limits.CpusetMems;
  if (Object.keys(cpu).length > 0) resources.cpu = cpu;

  if (limits.PidsLimit !== null && limits.PidsLimit !== 0)
    resources.pids = { limit: limits.PidsLimit > 0 ? limits.PidsLimit : -1 };

  const blockIO: Record<string, unknown> = {};
  if (limits.BlkioWeight > 0) blockIO.weight = limits.BlkioWeight;
  const throttles = {
    weightDevice: (limits.BlkioWeightDevice ?? []).map(({ Path, Weight }) => ({
      ...devices.get(Path),
      weight: Weight,
    })),
    throttleReadBpsDevice: rates(limits.BlkioDeviceReadBps, devices),
    throttleWriteBpsDevice: rates(limits.BlkioDeviceWriteBps, devices),
    throttleReadIOPSDevice: rates(limits.BlkioDeviceReadIOps, devices),
    throttleWriteIOPSDevice: rates(limits.BlkioDeviceWriteIOps, devices),
  };
  for (const [key, value] of Object.entries(throttles)) if (value.length > 0) blockIO[key] = value;
  if (Object.keys(blockIO).length > 0) resources.blockIO = blockIO;
  return resources;
}

function rates(throttles: HostConfig['BlkioDeviceReadBps'], devices: BlockDevices) {
  return (throttles ?? []).map(({ Path, Rate }) => ({ ...devices.get(Path), rate: Rate }));
}

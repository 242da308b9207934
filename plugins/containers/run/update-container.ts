import { conflict, EngineError, errorMessage, invalidParameter, type OciResources } from '@gantry/sdk';
import type { HostConfig, UpdateRequest } from '../config/container-config';
import { validateRestartPolicy } from '../create/validate';
import { adaptLimits, assertEnoughMemory } from '../create/validate-resources';
import { type Engine, publish } from '../engine';
import type { LimitSupport } from '../spec/limit-support';
import { resourceLimits } from '../spec/resources';
import { isAlive } from './state';
import { hasEnded } from './stop-container';

/**
 * Changes limits and the restart policy; of a running container at once.
 *
 * @returns warnings
 * @throws invalid-parameter  a limit is wrong, or contradicts one that stays
 * @throws conflict           it is being removed, or the request contradicts what the container has
 * @see Docker Engine API, POST /containers/{id}/update
 */
export async function updateContainer(reference: string, request: UpdateRequest, engine: Engine): Promise<string[]> {
  const container = engine.index.get(reference);
  return engine.locks.run(container.id, async () => {
    const { record, state } = container;
    if (state.status === 'removing' || state.status === 'dead')
      throw conflict(`Cannot update container ${container.id}: it is being removed`);
    try {
      const { updated, resources, warnings } = planUpdate(record.hostConfig, request, engine.host.limits);
      if (isAlive(state) && container.task)
        await container.task.update(resources).catch(async (error: unknown) => {
          // It ended this moment: the limits are those of its next start.
          if (!(await hasEnded(container))) throw error;
        });
      record.hostConfig = updated;
      container.touch();
      await engine.store.save(record, { durable: true });
      publish(engine, container, 'update');
      return warnings;
    } catch (error) {
      const kind = error instanceof EngineError ? error.kind : 'system';
      if (kind === 'invalid-parameter') throw error;
      throw new EngineError(kind, `Cannot update container ${container.id}: ${errorMessage(error)}`, { cause: error });
    }
  });
}

/**
 * What an update makes of a configuration.
 *
 * @returns the configuration afterwards, what the runtime is told of it, and warnings for the client
 * @throws invalid-parameter  a limit is wrong
 * @throws conflict           it contradicts one that stays
 */
export function planUpdate(
  present: HostConfig,
  request: UpdateRequest,
  support: LimitSupport,
): { readonly updated: HostConfig; readonly resources: OciResources; readonly warnings: string[] } {
  const { host: updated, warnings } = adaptLimits(mergeLimits(present, request), support, { update: true });
  return { updated, resources: resourceLimits(changedLimits(present, updated)), warnings };
}

const LIMITS = [
  'CpuShares',
  'Memory',
  'NanoCpus',
  'BlkioWeight',
  'CpuPeriod',
  'CpuQuota',
  'CpuRealtimePeriod',
  'CpuRealtimeRuntime',
  'MemoryReservation',
  'MemorySwap',
] as const;

/** The present configuration with everything that the request sets. @throws invalid-parameter, conflict */
export function mergeLimits(present: HostConfig, request: UpdateRequest): HostConfig {
  const merged: HostConfig = { ...present };
  refuseFixed(request);
  assertEnoughMemory(request.Memory);
  if (request.KernelMemory) throw invalidParameter('kernel memory limit is not supported: remove KernelMemory');
  if (request.NanoCpus > 0 && (present.CpuPeriod > 0 || present.CpuQuota > 0))
    throw conflict(
      `Conflicting options: Nano CPUs cannot be updated as CPU ${present.CpuPeriod > 0 ? 'Period' : 'Quota'} has already been set`,
    );
  if ((request.CpuPeriod > 0 || request.CpuQuota > 0) && present.NanoCpus > 0)
    throw conflict(
      `Conflicting options: CPU ${request.CpuPeriod > 0 ? 'Period' : 'Quota'} cannot be updated as NanoCPUs has already been set`,
    );
  // Also where there is no limit of either so far, as with dockerd.
  if (request.Memory > 0 && request.MemorySwap === 0 && request.Memory > present.MemorySwap)
    throw conflict(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  for (const field of LIMITS) if (request[field] !== 0) merged[field] = request[field];
  if (request.CpusetCpus !== '') merged.CpusetCpus = request.CpusetCpus;
  if (request.CpusetMems !== '') merged.CpusetMems = request.CpusetMems;
  if (request.PidsLimit !== null) merged.PidsLimit = Math.max(0, request.PidsLimit);
  if (request.RestartPolicy.Name !== '') {
    validateRestartPolicy(request.RestartPolicy, false);
    if (present.AutoRemove && request.RestartPolicy.Name !== 'no')
      throw conflict('Restart policy cannot be updated because AutoRemove is enabled for the container');
    merged.RestartPolicy = request.RestartPolicy;
  }
  return merged;
}

/** Limits that a container keeps from its creation on. dockerd takes no notice of them. */
const FIXED = [
  'CgroupParent',
  'BlkioWeightDevice',
  'BlkioDeviceReadBps',
  'BlkioDeviceWriteBps',
  'BlkioDeviceReadIOps',
  'BlkioDeviceWriteIOps',
  'Devices',
  'DeviceCgroupRules',
  'DeviceRequests',
  'Init',
  'MemorySwappiness',
  'OomKillDisable',
  'Ulimits',
] as const satisfies readonly (keyof UpdateRequest)[];

function refuseFixed(request: UpdateRequest): void {
  for (const field of FIXED) {
    const value = request[field];
    const isSet = Array.isArray(value) ? value.length > 0 : value !== null && value !== '' && value !== false;
    if (isSet && !(field === 'MemorySwappiness' && value === -1))
      throw invalidParameter(`${field} cannot be updated: make a new container with it`);
  }
  for (const field of ['KernelMemoryTCP', 'CpuCount', 'CpuPercent', 'IOMaximumIOps', 'IOMaximumBandwidth'] as const)
    if (request[field]) throw invalidParameter(`${field} is not supported on this system: leave it out`);
}

/** Only what differs: a limit that stays need not be written again. Swap is checked against memory, so both go. */
function changedLimits(present: HostConfig, updated: HostConfig): HostConfig {
  const changed: HostConfig = {
    ...updated,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    OomKillDisable: null,
    MemorySwappiness: null,
  };
  for (const field of LIMITS)
    if (field !== 'Memory' && field !== 'MemorySwap' && present[field] === updated[field]) changed[field] = 0;
  if (present.CpusetCpus === updated.CpusetCpus) changed.CpusetCpus = '';
  if (present.CpusetMems === updated.CpusetMems) changed.CpusetMems = '';
  if (present.PidsLimit === updated.PidsLimit) changed.PidsLimit = null;
  // Zero lifts a limit that is there.
  else if (updated.PidsLimit !== null && updated.PidsLimit <= 0) changed.PidsLimit = -1;
  return changed;
}

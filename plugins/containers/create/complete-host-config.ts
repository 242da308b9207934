import { invalidParameter } from '@gantry/sdk';
import { MASKED_PATHS, READONLY_PATHS } from '@gantry/sdk/oci';
import type { HostConfig } from '../config/container-config';
import type { Engine } from '../engine';
import { splitSecurityOption } from './security-options';

/** A copy with the daemon's defaults filled in, as inspect shows it. */
export function completeHostConfig(
  given: HostConfig,
  engine: Pick<Engine, 'settings' | 'networks' | 'host' | 'index'>,
): HostConfig {
  const { settings, host } = engine;
  const mode = given.NetworkMode;
  const privileged = given.Privileged;
  const openPaths = (given.SecurityOpt ?? []).some((option) => {
    const { key, value } = splitSecurityOption(option);
    return key === 'systempaths' && value === 'unconfined';
  });
  const completed: HostConfig = {
    ...given,
    NetworkMode: mode === '' || mode === 'default' ? engine.networks.defaultNetwork : mode,
    RestartPolicy: { ...given.RestartPolicy, Name: given.RestartPolicy.Name || 'no' },
    CgroupnsMode:
      given.CgroupnsMode || (privileged && host.cgroupVersion === 1 ? 'host' : settings.defaultCgroupnsMode),
    IpcMode: given.IpcMode || settings.defaultIpcMode,
    ShmSize: given.ShmSize === 0 ? settings.defaultShmSizeBytes : given.ShmSize,
    Runtime: given.Runtime || settings.defaultRuntime,
    // Swap of the same size as the memory limit, unless told otherwise.
    MemorySwap: given.Memory > 0 && given.MemorySwap === 0 && host.limits.swap ? given.Memory * 2 : given.MemorySwap,
    MemorySwappiness: given.MemorySwappiness === -1 ? null : given.MemorySwappiness,
    OomKillDisable: given.OomKillDisable ?? (host.limits.oomKillDisable ? false : null),
    // Nought and less mean no limit.
    PidsLimit: given.PidsLimit !== null && given.PidsLimit <= 0 ? null : given.PidsLimit,
    // Both separators are known; one is kept.
    ExtraHosts: given.ExtraHosts?.map((entry) => entry.replace(/^([^:=]+)=/, '$1:')) ?? null,
    ConsoleSize: given.ConsoleSize?.length === 2 ? given.ConsoleSize : [0, 0],
    MaskedPaths: given.MaskedPaths ?? (privileged ? null : openPaths ? [] : [...MASKED_PATHS]),
    ReadonlyPaths: given.ReadonlyPaths ?? (privileged ? null : openPaths ? [] : [...READONLY_PATHS]),
  };
  for (const field of ['NetworkMode', 'PidMode', 'IpcMode'] as const) completed[field] = byId(completed[field], engine);
  if (wantsInit(completed, settings.init) && host.initPath === undefined)
    throw invalidParameter(
      'HostConfig.Init needs an init program: install tini (package "tini") or docker-init, or set "init-path"',
    );
  return completed;
}

/** `container:<name>` by id, so that a rename does not matter. One that is not there yet is looked for at the start. */
function byId(mode: string, { index }: Pick<Engine, 'index'>): string {
  if (!mode.startsWith('container:')) return mode;
  const found = index.find(mode.slice('container:'.length));
  return found === undefined ? mode : `container:${found.id}`;
}

/** The daemon's `init` applies when the container does not say. */
export const wantsInit = (host: HostConfig, daemonDefault: boolean): boolean => host.Init ?? daemonDefault;

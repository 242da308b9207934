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
  completed.NetworkMode = byId(completed.NetworkMode, engine) ?? completed.NetworkMode;
  for (const field of ['PidMode', 'IpcMode'] as const) completed[field] = existingById(completed[field], engine);
  completed.SecurityOpt = withLabels(completed);
  if (wantsInit(completed, settings.init) && host.initPath === undefined)
    throw invalidParameter(
      'HostConfig.Init needs an init program: install tini (package "tini") or docker-init, or set "init-path"',
    );
  return completed;
}

const JOINS = 'container:';

/** `container:<name>` by id, so that a rename does not matter; undefined when there is no such container. */
function byId(mode: string, { index }: Pick<Engine, 'index'>): string | undefined {
  if (!mode.startsWith(JOINS)) return mode;
  const found = index.find(mode.slice(JOINS.length));
  return found === undefined ? undefined : `${JOINS}${found.id}`;
}

/** A network may be joined that is there only at the start; processes and memory may not. @throws invalid-parameter */
function existingById(mode: string, engine: Pick<Engine, 'index'>): string {
  const found = mode === JOINS ? mode : byId(mode, engine);
  if (found === undefined) throw invalidParameter(`No such container: ${mode.slice(JOINS.length)}`);
  return found;
}

/** Labels keep a container from what is the host's; where there are no labels, the option is still shown. */
function withLabels(host: HostConfig): HostConfig['SecurityOpt'] {
  const isOpen = host.Privileged || host.PidMode === 'host' || host.IpcMode === 'host';
  const given = host.SecurityOpt ?? [];
  if (!isOpen || given.some((option) => splitSecurityOption(option).key === 'label')) return host.SecurityOpt;
  return [...given, 'label=disable'];
}

/** The daemon's `init` applies when the container does not say. */
export const wantsInit = (host: HostConfig, daemonDefault: boolean): boolean => host.Init ?? daemonDefault;

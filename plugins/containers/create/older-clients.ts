import { type ApiVersion, apiVersionAtLeast, invalidParameter } from '@gantry/sdk';
import type { EndpointSettings, HostConfig, MountRequest } from '../config/container-config';
import type { CreateRequest } from './create-container';

/**
 * What a client of an API version meant: fields that came later are as if they had not been sent, and defaults that
 * changed since are those the client knows.
 *
 * @param cgroupVersion of this machine
 * @throws invalid-parameter  a field whose silent loss would harm
 * @see Engine API version history
 */
export function asClientMeant(request: CreateRequest, version: ApiVersion, cgroupVersion: 1 | 2): CreateRequest {
  const since = (first: ApiVersion) => apiVersionAtLeast(version, first);
  const host: HostConfig = { ...request.hostConfig };
  const config = { ...request.config };
  const endpoints = { ...request.endpoints };
  const warnings: string[] = [];

  if (!since('1.25')) host.AutoRemove = false;
  if (!since('1.40')) {
    delete host.KernelMemoryTCP;
    if (host.IpcMode === '') host.IpcMode = 'shareable';
  }
  if (!since('1.41') && host.CgroupnsMode === '' && cgroupVersion === 1) host.CgroupnsMode = 'host';
  if (!since('1.42')) delete host.ConsoleSize;
  if (!since('1.43')) delete host.Annotations;
  if (!since('1.44')) {
    if (config.Healthcheck) config.Healthcheck = { ...config.Healthcheck, StartInterval: undefined };
    const names = Object.keys(endpoints);
    if (names.length > 1)
      throw invalidParameter(`Container cannot be created with multiple network endpoints: ${names.join(', ')}`);
  }
  if (host.Mounts) host.Mounts = host.Mounts.map((mount) => mountAsMeant(mount, since));
  moveMacAddress(config, host, endpoints, since('1.44'), warnings);
  moveInterfaceSysctls(host, endpoints, since('1.47'), warnings);
  return {
    ...request,
    platform: since('1.41') ? request.platform : '',
    config,
    hostConfig: host,
    endpoints,
    readOnlyRecursive: since('1.44'),
    warnings: [...(request.warnings ?? []), ...warnings],
  };
}

const OPTION_TYPES = [
  ['VolumeOptions', 'volume'],
  ['BindOptions', 'bind'],
  ['TmpfsOptions', 'tmpfs'],
] as const;

function mountAsMeant(given: MountRequest, since: (first: ApiVersion) => boolean): MountRequest {
  const mount = { ...given };
  const bind = mount.BindOptions ? { ...mount.BindOptions } : undefined;
  if (bind) mount.BindOptions = bind;
  if (bind && !since('1.40')) delete bind.NonRecursive;
  if (bind && !since('1.42')) delete bind.CreateMountpoint;
  for (const [field, type] of OPTION_TYPES) {
    if (mount[field] === undefined || mount.Type === type) continue;
    if (since('1.42')) throw invalidParameter(`${field} must not be specified on mount type "${mount.Type}"`);
    // It did no harm then.
    if (field !== 'BindOptions') delete mount[field];
  }
  if (!since('1.44') && mount.Type === 'bind' && mount.ReadOnly) {
    if (bind?.ReadOnlyForceRecursive)
      throw invalidParameter('BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer');
    mount.BindOptions = { ...bind, ReadOnlyNonRecursive: true };
  }
  if (!since('1.45') && mount.VolumeOptions?.Subpath)
    throw invalidParameter('VolumeOptions.Subpath needs API v1.45 or newer');
  if (!since('1.46') && mount.TmpfsOptions?.Options) mount.TmpfsOptions = { ...mount.TmpfsOptions, Options: undefined };
  if (mount.ImageOptions !== undefined && mount.Type !== 'image') {
    if (since('1.48'))
      throw invalidParameter(`invalid mount config for type "${mount.Type}": field ImageOptions must not be specified`);
    delete mount.ImageOptions;
  }
  return mount;
}

/** The container's own MAC address became that of its main endpoint in 1.44. */
function moveMacAddress(
  config: CreateRequest['config'],
  host: HostConfig,
  endpoints: Record<string, EndpointSettings>,
  isNewer: boolean,
  warnings: string[],
): void {
  const address = config.MacAddress;
  const mode = host.NetworkMode;
  const private_ = mode !== 'host' && mode !== 'none' && !mode.startsWith('container:');
  if (!address) {
    if (!isNewer) for (const [name, endpoint] of Object.entries(endpoints)) endpoints[name] = withoutMac(endpoint);
    return;
  }
  if (!private_) {
    if (!isNewer) throw invalidParameter('conflicting options: mac-address and the network mode');
    return;
  }
  const key = mainEndpoint(mode, endpoints, isNewer);
  const endpoint = endpoints[key] ?? {};
  if (isNewer && endpoint.MacAddress && endpoint.MacAddress !== address)
    throw invalidParameter(
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    );
  endpoints[key] = { ...endpoint, MacAddress: address };
  if (!isNewer) return;
  delete config.MacAddress;
  warnings.push(
    'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.',
  );
}

function withoutMac({ MacAddress: _unknownThen, ...others }: EndpointSettings): EndpointSettings {
  return others;
}

/** Under which key the main network's endpoint is, or is to be. @throws invalid-parameter it cannot be told */
function mainEndpoint(mode: string, endpoints: Record<string, EndpointSettings>, isNewer: boolean): string {
  const names = Object.keys(endpoints);
  if (names.length === 0) return mode || 'default';
  if (!isNewer) return names[0] as string;
  for (const name of ['', 'default'].includes(mode) ? ['default', 'bridge'] : [mode])
    if (Object.hasOwn(endpoints, name)) return name;
  throw invalidParameter(
    'unable to migrate container-wide settings to a specific network: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks',
  );
}

const ENDPOINT_SYSCTLS = 'com.docker.network.endpoint.sysctls';

/** Sysctls of one interface cannot be set before there is one: they belong to its endpoint since 1.46. */
function moveInterfaceSysctls(
  host: HostConfig,
  endpoints: Record<string, EndpointSettings>,
  isNewer: boolean,
  warnings: string[],
): void {
  if (host.NetworkMode === 'host' || host.NetworkMode.startsWith('container:')) return;
  const moved: string[] = [];
  const values: string[] = [];
  for (const [key, value] of Object.entries(host.Sysctls ?? {})) {
    const [, family, part, name, last] = /^net\.([^.]+)\.([^.]+)\.(eth[^.]*)\.(.+)$/.exec(key) ?? [];
    if (name === undefined) continue;
    if (isNewer)
      throw invalidParameter(
        `interface specific sysctl setting "${key}" must be supplied using driver option '${ENDPOINT_SYSCTLS}'`,
      );
    if (name !== 'eth0')
      throw invalidParameter(
        `unable to determine network endpoint for sysctl ${key}, use driver option '${ENDPOINT_SYSCTLS}' to set per-interface sysctls`,
      );
    moved.push(key);
    values.push(`net.${family}.${part}.IFNAME.${last}=${value}`);
  }
  if (moved.length === 0) return;
  const key = mainEndpoint(host.NetworkMode, endpoints, true);
  const endpoint = endpoints[key] ?? {};
  const list = values.join(',');
  const own = endpoint.DriverOpts?.[ENDPOINT_SYSCTLS];
  endpoints[key] = {
    ...endpoint,
    DriverOpts: { ...endpoint.DriverOpts, [ENDPOINT_SYSCTLS]: own ? `${list},${own}` : list },
  };
  host.Sysctls = Object.fromEntries(Object.entries(host.Sysctls ?? {}).filter(([name]) => !moved.includes(name)));
  warnings.push(`Migrated sysctl "${moved.join(',')}" to DriverOpts{"${ENDPOINT_SYSCTLS}":"${list}"}.`);
}

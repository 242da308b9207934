import type { ContainerConfig, HostConfig } from '../config/container-config';

/*
 * How inspect shows what was asked of a container: as the structures of the Engine API are written, where some fields
 * are left out when they are empty.
 */

const HOST_CONFIG_LEFT_OUT = new Set(['Annotations', 'StorageOpt', 'Tmpfs', 'Sysctls', 'Mounts']);
const CONFIG_LEFT_OUT = new Set(['ExposedPorts', 'Shell', 'StopSignal', 'MacAddress']);

export const shownHostConfig = (hostConfig: HostConfig) => withoutEmpty(hostConfig, HOST_CONFIG_LEFT_OUT);
export const shownConfig = (config: ContainerConfig) => withoutEmpty(config, CONFIG_LEFT_OUT);

function withoutEmpty(fields: object, names: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => !(names.has(name) && isEmpty(value))));
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

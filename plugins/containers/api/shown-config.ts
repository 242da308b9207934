import type { ContainerConfig, HostConfig, MountRequest } from '../config/container-config';

/*
 * How inspect shows what was asked of a container: as the structures of the Engine API are written, where some fields
 * are left out when they are empty.
 */

const HOST_CONFIG_LEFT_OUT = new Set(['Annotations', 'StorageOpt', 'Tmpfs', 'Sysctls', 'Mounts']);
const CONFIG_LEFT_OUT = new Set(['ExposedPorts', 'Shell', 'StopSignal', 'MacAddress']);

export function shownHostConfig(hostConfig: HostConfig): Record<string, unknown> {
  const shown = withoutEmpty(hostConfig, HOST_CONFIG_LEFT_OUT);
  return shown.Mounts === undefined ? shown : { ...shown, Mounts: hostConfig.Mounts?.map(shownMount) };
}
export const shownConfig = (config: ContainerConfig) => withoutEmpty(config, CONFIG_LEFT_OUT);

/** What a client said of a mount, without the fields it only named. */
function shownMount(mount: MountRequest): Record<string, unknown> {
  const said = ([, value]: [string, unknown]) => value !== '' && value !== false && value !== undefined;
  return Object.fromEntries(
    Object.entries(mount)
      .filter(said)
      .map(([name, value]) =>
        typeof value === 'object' ? [name, Object.fromEntries(Object.entries(value).filter(said))] : [name, value],
      ),
  );
}

function withoutEmpty(fields: object, names: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => !(names.has(name) && isEmpty(value))));
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

import { stat } from 'node:fs/promises';
import { invalidParameter, systemError } from '@gantry/sdk';
import { deviceNumbers, devicesAt, devicesBelow, type OciDevice, type OciDeviceRule } from '@gantry/sdk/oci';
import type { HostConfig } from '../config/container-config';

export type Device = OciDevice;
export type DeviceRule = OciDeviceRule;

/** @throws invalid-parameter  a `--device-cgroup-rule` that cannot be read */
export function parseDeviceRule(rule: string): DeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(rule);
  if (!match) throw invalidParameter(`invalid device cgroup rule format: '${rule}'`);
  const number = (text: string | undefined) => (text === '*' ? undefined : Number(text));
  const [major, minor] = [number(match[2]), number(match[3])];
  return {
    allow: true,
    type: match[1] ?? 'a',
    ...(major === undefined ? {} : { major }),
    ...(minor === undefined ? {} : { minor }),
    access: match[4] ?? 'rwm',
  };
}

/**
 * Devices of `--device`; a directory stands for all devices in it.
 *
 * @throws system  dockerd's words for a path that is no device
 */
export async function requestedDevices(
  devices: NonNullable<HostConfig['Devices']>,
): Promise<{ devices: Device[]; rules: DeviceRule[] }> {
  const out: { devices: Device[]; rules: DeviceRule[] } = { devices: [], rules: [] };
  for (const { PathOnHost, PathInContainer, CgroupPermissions } of devices) {
    const inContainer = PathInContainer || PathOnHost;
    const access = CgroupPermissions || 'rwm';
    if (!/^[rwm]{1,3}$/.test(access)) throw invalidParameter(`invalid device mode: ${access}`);
    const found = await devicesAt(PathOnHost, inContainer);
    if (found.length === 0)
      throw systemError(
        `error gathering device information while adding custom device "${PathOnHost}": not a device node`,
      );
    for (const device of found) {
      out.devices.push(device);
      out.rules.push({ allow: true, type: device.type, major: device.major, minor: device.minor, access });
    }
  }
  return out;
}

/** Every device of the host, and those that were asked for under another path. */
export async function privilegedDevices(
  devices: NonNullable<HostConfig['Devices']>,
): Promise<{ devices: Device[]; rules: DeviceRule[] }> {
  const renamed = devices.filter(
    ({ PathOnHost, PathInContainer }) => PathInContainer && PathInContainer !== PathOnHost,
  );
  const asked = await requestedDevices(renamed);
  const taken = new Set(asked.devices.map(({ path }) => path));
  const all = (await hostDevices()).filter(({ path }) => !taken.has(path));
  return { devices: [...all, ...asked.devices], rules: [] };
}

async function hostDevices(): Promise<Device[]> {
  const found = await devicesBelow('/dev', '/dev');
  return found.filter(({ path }) => path !== '/dev/console');
}

/** Major and minor of the block devices that throttles name. @throws invalid-parameter no such device */
export async function blockDevices(paths: Iterable<string>): Promise<Map<string, { major: number; minor: number }>> {
  const found = new Map<string, { major: number; minor: number }>();
  for (const path of new Set(paths)) {
    const info = await stat(path).catch((error: unknown) => {
      throw invalidParameter(`no such device: ${path}`, error);
    });
    found.set(path, deviceNumbers(info.rdev));
  }
  return found;
}

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidParameter, type OciLinux, type OciResources, systemError } from '@gantry/sdk';
import type { HostConfig } from '../config/container-config';

export type Device = NonNullable<OciLinux['devices']>[number];
export type DeviceRule = NonNullable<OciResources['devices']>[number];

/** What a container may use of devices it makes itself; the runtime adds those it always makes (null, zero, …). */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  { allow: false, access: 'rwm' },
  ...[
    [1, 5],
    [1, 3],
    [1, 9],
    [1, 8],
    [5, 0],
    [5, 1],
  ].map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
];

/** Directories of /dev that a container has its own of. */
const OWN_DIRECTORIES = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev']);

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
  devices: HostConfig['Devices'],
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
  devices: HostConfig['Devices'],
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
  const found = await walk('/dev', '/dev');
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

async function devicesAt(host: string, inContainer: string): Promise<Device[]> {
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(host)).isDirectory();
  } catch (error) {
    throw systemError(
      `error gathering device information while adding custom device "${host}": no such file or directory`,
      error,
    );
  }
  if (isDirectory) return walk(host, inContainer);
  const device = await deviceAt(host, inContainer);
  return device ? [device] : [];
}

async function walk(host: string, inContainer: string): Promise<Device[]> {
  const entries = await readdir(host, { withFileTypes: true });
  const nested = await Promise.all(
    entries.map(async (entry) => {
      const from = join(host, entry.name);
      const to = join(inContainer, entry.name);
      if (entry.isDirectory()) return OWN_DIRECTORIES.has(entry.name) ? [] : walk(from, to);
      if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
      const device = await deviceAt(from, to);
      return device ? [device] : [];
    }),
  );
  return nested.flat();
}

async function deviceAt(host: string, inContainer: string): Promise<Device | undefined> {
  const info = await stat(host).catch(() => undefined);
  if (info === undefined || !(info.isCharacterDevice() || info.isBlockDevice())) return undefined;
  return {
    type: info.isBlockDevice() ? 'b' : 'c',
    path: inContainer,
    ...deviceNumbers(info.rdev),
    fileMode: info.mode & 0o7777,
    uid: info.uid,
    gid: info.gid,
  };
}

/** @see makedev(3): the kernel's 32-bit form */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { OciLinux, OciResources } from '../contracts/oci';
import { systemError } from '../errors';

/** A device of the OCI runtime specification. */
export type OciDevice = NonNullable<OciLinux['devices']>[number];

/** A rule of the device control group. */
export type OciDeviceRule = NonNullable<OciResources['devices']>[number];

/** What a container may use of devices it makes itself; the runtime adds those it always makes (null, zero, …). */
export const DEFAULT_DEVICE_RULES: readonly OciDeviceRule[] = [
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

/**
 * The device at a path of the host, or all that are in it. Empty when it is neither.
 *
 * @throws system  in dockerd's words, when there is nothing
 */
export async function devicesAt(host: string, inContainer: string): Promise<OciDevice[]> {
  let isDirectory: boolean;
  try {
    isDirectory = (await stat(host)).isDirectory();
  } catch (error) {
    throw systemError(
      `error gathering device information while adding custom device "${host}": no such file or directory`,
      error,
    );
  }
  if (isDirectory) return devicesBelow(host, inContainer);
  const device = await deviceAt(host, inContainer);
  return device ? [device] : [];
}

/** All devices below a directory. */
export async function devicesBelow(host: string, inContainer: string): Promise<OciDevice[]> {
  const entries = await readdir(host, { withFileTypes: true });
  const nested = await Promise.all(
    entries.map(async (entry) => {
      const from = join(host, entry.name);
      const to = join(inContainer, entry.name);
      if (entry.isDirectory()) return OWN_DIRECTORIES.has(entry.name) ? [] : devicesBelow(from, to);
      if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
      const device = await deviceAt(from, to);
      return device ? [device] : [];
    }),
  );
  return nested.flat();
}

async function deviceAt(host: string, inContainer: string): Promise<OciDevice | undefined> {
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

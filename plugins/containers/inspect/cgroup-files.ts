import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Directories of one container's cgroups: one per controller (v1), or a single one under the key '' (v2). */
export type CgroupDirectories = ReadonlyMap<string, string>;

/** @returns where the cgroups of a process are, as this mount namespace sees them */
export async function cgroupDirectories(pid: number): Promise<CgroupDirectories> {
  const [memberships, mounts] = await Promise.all([
    readFile(`/proc/${pid}/cgroup`, 'utf8'),
    readFile('/proc/self/mountinfo', 'utf8'),
  ]);
  return locateCgroups(memberships, mounts);
}

/**
 * @param memberships content of /proc/<pid>/cgroup
 * @param mountinfo   content of /proc/self/mountinfo
 */
export function locateCgroups(memberships: string, mountinfo: string): CgroupDirectories {
  const mounts = mountinfo
    .split('\n')
    .map((line) => line.split(' - '))
    .filter(([, right]) => right?.startsWith('cgroup'))
    .map(([left = '', right = '']) => {
      const fields = left.split(' ');
      const [type, , options = ''] = right.split(' ');
      return { type, root: fields[3] ?? '/', path: fields[4] ?? '', controllers: options.split(',') };
    });
  const found = new Map<string, string>();
  for (const line of memberships.split('\n')) {
    const [, controllers, ...rest] = line.split(':');
    if (controllers === undefined) continue;
    const path = rest.join(':');
    for (const controller of controllers.split(',')) {
      const mount =
        controller === ''
          ? mounts.find(({ type }) => type === 'cgroup2')
          : mounts.find((candidate) => candidate.type === 'cgroup' && candidate.controllers.includes(controller));
      if (mount)
        found.set(controller, join(mount.path, path.startsWith(mount.root) ? path.slice(mount.root.length) : path));
    }
  }
  return found;
}

/** Content of a cgroup file; empty when the controller or the file is not there. */
export async function readCgroupFile(directory: string | undefined, name: string): Promise<string> {
  if (directory === undefined) return '';
  try {
    return await readFile(join(directory, name), 'utf8');
  } catch {
    return '';
  }
}

/** `key value` lines. */
export function parseKeyed(content: string): Record<string, number> {
  const out: Record<string, number> = {};
  for (const line of content.split('\n')) {
    const [key, value] = line.split(' ');
    if (key && value !== undefined) out[key] = Number(value);
  }
  return out;
}

/** A single number; `max` and absent are undefined. */
export function parseNumber(content: string): number | undefined {
  const text = content.trim();
  return text === '' || text === 'max' ? undefined : Number(text);
}

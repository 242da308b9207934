import { closeSync, realpathSync } from 'node:fs';
import { lstat, mkdir, rmdir, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { invalidParameter, notFound, systemError } from '@gantry/sdk';
import { mount, mountFlags, unmount } from '@gantry/sdk/linux/mount';
import { isDirectoryOpen, openInside } from '@gantry/sdk/linux/open-inside';
import type { ContainerRecord, MountPoint } from '../records/container-record';

const placeOf = (directory: string, point: MountPoint): string => join(directory, 'mounts', `subpath-${point.mountId}`);

/**
 * Makes a part of a volume or image available under a path of our own. Other containers may exchange directories of
 * the volume for links at any moment: what is mounted here stays what was found inside.
 *
 * @param directory  the container's own
 * @returns the path to mount into the container; `unmountSubpaths` takes it away
 * @throws not-found          there is nothing at the subpath
 * @throws invalid-parameter  a link on the way leads out
 */
export async function mountSubpath(base: string, point: MountPoint, directory: string): Promise<string> {
  const descriptor = openSubpath(base, point.subpath);
  try {
    const place = placeOf(directory, point);
    await mkdir(dirname(place), { recursive: true, mode: 0o700 });
    if (isDirectoryOpen(descriptor)) await mkdir(place, { recursive: true, mode: 0o700 });
    else await writeFile(place, '', { mode: 0o600 });
    mount(`/proc/self/fd/${descriptor}`, place, null, mountFlags.bind | mountFlags.recursive);
    return place;
  } finally {
    closeSync(descriptor);
  }
}

/** Once the runtime has its own mounts, and after anything that was cut short. Repeatable. */
export async function unmountSubpaths(record: ContainerRecord, directory: string): Promise<void> {
  for (const point of record.mounts) {
    if (point.subpath === '') continue;
    const place = placeOf(directory, point);
    unmount(place, { detach: true });
    // Only what is empty: whatever happens, nothing of the volume goes.
    const left = await lstat(place).catch(() => undefined);
    if (left !== undefined) await (left.isDirectory() ? rmdir(place) : unlink(place));
  }
}

/** @throws not-found, system  `cannot access path …` @throws invalid-parameter  a link leads out */
export function openSubpath(base: string, subpath: string): number {
  try {
    return openInside(base, subpath);
  } catch (error) {
    const path = join(base, subpath);
    if (leadsOut(base, path))
      throw invalidParameter(`path concatenation escapes the base directory, base: ${base}, subpath: ${subpath}`);
    const why = (error as NodeJS.ErrnoException).code;
    const words = why === 'ENOENT' ? 'no such file or directory' : why === 'ENOTDIR' ? 'not a directory' : String(why);
    const text = `cannot access path ${path}: lstat ${path}: ${words}`;
    throw why === 'ENOENT' ? notFound(text, error) : systemError(text, error);
  }
}

/** For the words of an error only: what it finds may have changed meanwhile. */
function leadsOut(base: string, path: string): boolean {
  try {
    return !`${realpathSync(path)}/`.startsWith(`${realpathSync(base)}/`);
  } catch {
    return false;
  }
}

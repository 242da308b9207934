import { close } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { posix } from 'node:path';
import { tryOpenInside } from '@gantry/sdk/linux/open-inside';
import { describe, type PathStat } from './path-stat';

/**
 * Looks at a path of a container without a process of its own for it, where that is safe and simple.
 *
 * @param root host path of the container's root
 * @param path absolute
 * @returns `missing` when its folder has no such name; undefined when only the archive process can tell
 */
export async function statInside(root: string, path: string): Promise<PathStat | 'missing' | undefined> {
  const clean = posix.normalize(path).replace(/(.)\/$/, '$1');
  // What leads elsewhere, or must be a folder, is left to the process that lives in there.
  if (clean === '/' || path.endsWith('/') || path.endsWith('/.')) return undefined;
  const folder = await tryOpenInside(root, posix.dirname(clean));
  if (folder === undefined) return undefined;
  try {
    const info = await lstat(`/proc/self/fd/${folder}/${posix.basename(clean)}`, { bigint: true });
    return info.isSymbolicLink() ? undefined : describe(clean, info, '');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : undefined;
  } finally {
    close(folder);
  }
}

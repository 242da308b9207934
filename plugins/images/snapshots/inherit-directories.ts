import type { Stats } from 'node:fs';
import { chmod, chown, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimes } from '@gantry/sdk/linux/file-times';
import { getXattr, listXattrs, setXattr } from '@gantry/sdk/linux/xattr';
import { bytesOf, nativePath, systemPath } from '../unpack/entry-path';

/**
 * Gives directories that an archive only implied the owner, mode, times and attributes they have below: in a stack
 * the uppermost directory's count, so that a file added to `/tmp` would otherwise change `/tmp`.
 *
 * @param names byte strings, relative to `directory`, parents first
 * @param lower directories of the layers below, uppermost first
 */
export async function inheritDirectories(
  directory: string,
  names: readonly string[],
  lower: readonly string[],
): Promise<void> {
  // Children first: what happens in a directory must not touch its times afterwards.
  for (const name of [...names].reverse()) {
    const found = await findBelow(name, lower);
    if (found === undefined) continue;
    const target = byteJoin(directory, name);
    await chown(systemPath(target), found.stat.uid, found.stat.gid);
    await chmod(systemPath(target), found.stat.mode & 0o7777);
    for (const key of listXattrs(nativePath(found.path))) {
      const value = key.startsWith('trusted.overlay.') ? undefined : getXattr(nativePath(found.path), key);
      if (value !== undefined) setXattr(nativePath(target), key, value);
    }
    const modifiedNs = (await lstat(systemPath(found.path), { bigint: true })).mtimeNs;
    setTimes(nativePath(target), modifiedNs, modifiedNs);
  }
}

async function findBelow(name: string, lower: readonly string[]): Promise<{ path: string; stat: Stats } | undefined> {
  for (const layer of lower) {
    const path = byteJoin(layer, name);
    const stat = await lstat(systemPath(path)).catch(() => undefined);
    if (stat === undefined) continue;
    return stat.isDirectory() ? { path, stat } : undefined;
  }
  return undefined;
}

const byteJoin = (folder: string, name: string) => join(bytesOf(folder), name);

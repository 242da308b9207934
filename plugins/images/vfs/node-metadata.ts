import { type BigIntStats, chmodSync, lchownSync } from 'node:fs';
import { setTimes } from '@gantry/sdk/linux/file-times';
import { getXattr, listXattrs, setXattr } from '@gantry/sdk/linux/xattr';
import { nativePath, systemPath } from '../unpack/entry-path';

/** Owner, mode, attributes and times of one path for another. Paths are byte strings. */
export function copyMetadata(from: string, info: BigIntStats, to: string): void {
  lchownSync(systemPath(to), Number(info.uid), Number(info.gid));
  // After chown, which clears setuid and setgid.
  if (!info.isSymbolicLink()) chmodSync(systemPath(to), Number(info.mode & 0o7777n));
  for (const [name, value] of attributesOf(from)) setXattr(nativePath(to), name, value);
  setTimes(nativePath(to), info.atimeNs, info.mtimeNs);
}

/** All extended attributes but overlayfs's own notes. */
export function attributesOf(path: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const name of listXattrs(nativePath(path))) {
    const value = name.startsWith('trusted.overlay.') ? undefined : getXattr(nativePath(path), name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

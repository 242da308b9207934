import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { getXattr, listXattrs } from '@gantry/sdk/linux/xattr';
import type { SourceEntry, SourceTree } from '../context/source-tree';
import { forFs, forLibc } from './byte-path';

/** A real directory as a source. Synchronous: belongs into a worker. */
export class DirectoryTree implements SourceTree {
  private readonly root: string;

  /** @param root absolute path */
  constructor(root: string) {
    this.root = Buffer.from(root, 'utf8').toString('latin1');
  }

  find(path: string): SourceEntry | undefined {
    const full = this.full(path);
    const info = statOf(full);
    const type = info && typeOf(info);
    // Sockets are nothing to copy.
    if (info === undefined || type === undefined) return undefined;
    return {
      type,
      mode: Number(info.mode) & 0o7777,
      uid: Number(info.uid),
      gid: Number(info.gid),
      size: type === 'file' ? Number(info.size) : 0,
      modifiedNs: info.mtimeNs,
      linkName: type === 'symlink' ? readlinkSync(forFs(full), 'latin1') : '',
      content: type === 'file' ? { path: full, offset: 0 } : undefined,
      digest: undefined,
      device: type === 'character' || type === 'block' ? deviceOf(info.rdev) : undefined,
      xattrs: type === 'symlink' ? none : xattrsOf(full),
    };
  }

  list(path: string): readonly string[] {
    return readdirSync(forFs(this.full(path)), 'latin1').sort();
  }

  /** Absolute, as a byte string. */
  full(path: string): string {
    return path === '' ? this.root : `${this.root}/${path}`;
  }
}

const none: ReadonlyMap<string, Buffer> = new Map();

function statOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(forFs(path), { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    // A file where a directory would be.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function typeOf(info: BigIntStats): SourceEntry['type'] | undefined {
  if (info.isFile()) return 'file';
  if (info.isDirectory()) return 'directory';
  if (info.isSymbolicLink()) return 'symlink';
  if (info.isFIFO()) return 'fifo';
  if (info.isCharacterDevice()) return 'character';
  return info.isBlockDevice() ? 'block' : undefined;
}

/** @see makedev(3) */
const deviceOf = (rdev: bigint) => ({
  major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
  minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
});

/** Those that mean the same elsewhere. */
function xattrsOf(path: string): ReadonlyMap<string, Buffer> {
  const names = listXattrs(forLibc(path)).filter((name) => name.startsWith('user.') || name === 'security.capability');
  if (names.length === 0) return none;
  return new Map(
    names.flatMap((name) => {
      const value = getXattr(forLibc(path), name);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

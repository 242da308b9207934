import { type BigIntStats, closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { getXattr, listXattrs } from '@gantry/sdk/linux/xattr';
import { encodeTarHeader, type TarEntryType, tarPadding, tarTrailer } from '@gantry/sdk/tar';
import { forFs, forLibc, joinPath } from './byte-path';

const CHUNK_BYTES = 1 << 20;

/** Writes a file or a tree as a tar archive. Synchronous: belongs into a process of its own. */
export class TreePacker {
  /** Files with several names: the first one written is what the others link to. */
  private readonly written = new Map<string, string>();
  private readonly chunk = Buffer.allocUnsafe(CHUNK_BYTES);

  constructor(private readonly write: (bytes: Buffer) => void) {}

  /** @param name what the entry at `path` is called in the archive */
  pack(path: string, name: string): void {
    this.walk(path, name);
    this.write(tarTrailer());
  }

  /** All that is in a directory, without the directory itself; names begin below it. */
  packContents(path: string): void {
    for (const child of readdirSync(forFs(path), 'latin1').sort()) this.walk(joinPath(path, child), child);
    this.write(tarTrailer());
  }

  private walk(path: string, name: string): void {
    const info = statOrGone(path);
    const type = info && entryType(info);
    // Sockets cannot be archived; what vanished meanwhile is left out.
    if (info === undefined || type === undefined) return;
    const key = `${info.dev}:${info.ino}`;
    const first = type === 'file' && info.nlink > 1n ? this.written.get(key) : undefined;
    const size = type === 'file' && first === undefined ? Number(info.size) : 0;
    this.write(
      encodeTarHeader({
        type: first === undefined ? type : 'hardlink',
        name,
        linkName: first ?? (type === 'symlink' ? readlinkSync(forFs(path), 'latin1') : ''),
        size,
        mode: Number(info.mode) & 0o7777,
        uid: Number(info.uid),
        gid: Number(info.gid),
        modifiedNs: info.mtimeNs,
        ...(type === 'character' || type === 'block' ? deviceNumbers(info.rdev) : { deviceMajor: 0, deviceMinor: 0 }),
        xattrs: xattrsOf(path, type),
      }),
    );
    if (first !== undefined) return;
    if (type === 'file') {
      if (info.nlink > 1n) this.written.set(key, name);
      if (size > 0) this.copy(path, size);
    }
    if (type === 'directory')
      for (const child of readdirSync(forFs(path), 'latin1').sort())
        this.walk(joinPath(path, child), joinPath(name, child));
  }

  /** Exactly `size` bytes, whatever the file does meanwhile: the header has promised them. */
  private copy(path: string, size: number): void {
    const fd = openSync(forFs(path), 'r');
    try {
      let left = size;
      while (left > 0) {
        const read = readSync(fd, this.chunk, 0, Math.min(left, CHUNK_BYTES), null);
        if (read === 0) break;
        this.write(this.chunk.subarray(0, read));
        left -= read;
      }
      for (; left > 0; left -= Math.min(left, CHUNK_BYTES)) this.write(Buffer.alloc(Math.min(left, CHUNK_BYTES)));
    } finally {
      closeSync(fd);
    }
    this.write(tarPadding(size));
  }
}

function statOrGone(path: string): BigIntStats | undefined {
  return lstatSync(forFs(path), { bigint: true, throwIfNoEntry: false });
}

function entryType(info: BigIntStats): TarEntryType | undefined {
  if (info.isFile()) return 'file';
  if (info.isDirectory()) return 'directory';
  if (info.isSymbolicLink()) return 'symlink';
  if (info.isCharacterDevice()) return 'character';
  if (info.isBlockDevice()) return 'block';
  return info.isFIFO() ? 'fifo' : undefined;
}

/** Those that mean the same elsewhere; `trusted` ones belong to the storage driver. */
function xattrsOf(path: string, type: TarEntryType): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  if (type === 'symlink') return found;
  for (const name of listXattrs(forLibc(path))) {
    if (!name.startsWith('user.') && name !== 'security.capability') continue;
    const value = getXattr(forLibc(path), name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** @see makedev(3) */
function deviceNumbers(rdev: bigint): { deviceMajor: number; deviceMinor: number } {
  return {
    deviceMajor: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    deviceMinor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

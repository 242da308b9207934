import {
  type BigIntStats,
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  unlinkSync,
} from 'node:fs';
import { setTimes } from '@gantry/sdk/linux/file-times';
import { getXattr, listXattrs } from '@gantry/sdk/linux/xattr';
import { encodeTarHeader, type TarEntryType, type TarHeader, tarPadding, tarTrailer } from '@gantry/sdk/tar';
import { bytesOf, nativePath, systemPath } from '../unpack/entry-path';

/** Takes an archive as it is made. */
export interface PackSink {
  /** Headers and padding. */
  bytes(bytes: Buffer): void;
  /** The content of a file of this size follows. */
  file(name: string, size: number): void;
  content(bytes: Buffer): void;
  /** A symbolic link whose target is this long. */
  link(size: number): void;
}

export interface PackOptions {
  /** Nanoseconds since the epoch: what is newer is given this time. */
  readonly latestNs: bigint | undefined;
  /** The directory itself becomes the layer: what an archive cannot hold is removed, and times are changed there too. */
  readonly settle: boolean;
}

const chunkBytes = 1 << 20;
const zeroes = Buffer.alloc(chunkBytes);

/**
 * Writes what a writable layer holds as a layer archive: deletions become the whiteouts of the OCI image spec.
 * Synchronous: belongs into a worker.
 *
 * @see OCI image spec, layer.md, "Whiteouts"
 */
export class LayerPacker {
  /** Entries written so far; a layer without any is none. */
  entries = 0;
  /** Files with several names: the first one written is what the others link to. */
  private readonly written = new Map<string, string>();
  /** Paths whose time is to be changed. */
  private readonly late: string[] = [];
  private readonly chunk = Buffer.allocUnsafe(chunkBytes);

  constructor(
    private readonly sink: PackSink,
    private readonly options: PackOptions,
    private readonly isCancelled: () => boolean,
  ) {}

  /** @param root absolute path of the layer's own directory, in overlayfs form */
  pack(root: string): void {
    const bytes = bytesOf(root);
    const info = lstatSync(systemPath(bytes), { bigint: true });
    // Only a root somebody changed is worth an entry: a layer that changes nothing must be empty.
    if ((info.mode & 0o7777n) !== 0o755n || info.uid !== 0n || info.gid !== 0n) this.header('./', 'directory', info);
    this.walkChildren(bytes, '');
    this.sink.bytes(tarTrailer());
    for (const path of this.late) setTimes(nativePath(path), this.options.latestNs!, this.options.latestNs!);
  }

  private walkChildren(directory: string, name: string): void {
    for (const child of readdirSync(systemPath(directory), 'latin1').sort())
      this.walk(`${directory}/${child}`, name === '' ? child : `${name}/${child}`);
  }

  private walk(path: string, name: string): void {
    if (this.isCancelled()) throw new PackCancelled();
    const info = lstatSync(systemPath(path), { bigint: true, throwIfNoEntry: false });
    const type = info && entryType(info);
    // Sockets cannot be archived; what vanished meanwhile is left out.
    if (info === undefined) return;
    if (type === undefined) {
      if (this.options.settle) unlinkSync(systemPath(path));
      return;
    }
    const { latestNs, settle } = this.options;
    if (settle && latestNs !== undefined && info.mtimeNs > latestNs) this.late.push(path);
    if (type === 'character' && info.rdev === 0n) {
      const slash = name.lastIndexOf('/') + 1;
      this.marker(`${name.slice(0, slash)}.wh.${name.slice(slash)}`, info);
      return;
    }
    const key = `${info.dev}:${info.ino}`;
    const first = type === 'file' && info.nlink > 1n ? this.written.get(key) : undefined;
    if (first !== undefined) {
      this.header(name, 'hardlink', info, { linkName: first });
      return;
    }
    switch (type) {
      case 'file':
        if (info.nlink > 1n) this.written.set(key, name);
        this.file(path, name, info);
        return;
      case 'symlink':
        this.sink.link(Number(info.size));
        this.header(name, type, info, { linkName: readlinkSync(systemPath(path), 'latin1') });
        return;
      case 'directory':
        this.header(name, type, info, { xattrs: xattrsOf(path) });
        if (getXattr(nativePath(path), 'trusted.overlay.opaque')?.toString() === 'y')
          this.marker(`${name}/.wh..wh..opq`, info);
        this.walkChildren(path, name);
        return;
      default:
        this.header(name, type, info, {
          xattrs: xattrsOf(path),
          ...(type === 'fifo' ? {} : deviceNumbers(info.rdev)),
        });
    }
  }

  private file(path: string, name: string, info: BigIntStats): void {
    const fd = openSync(systemPath(path), 'r');
    try {
      const size = Number(info.size);
      this.header(name, 'file', info, { size, xattrs: xattrsOf(path) });
      this.sink.file(name, size);
      // Exactly that many bytes, whatever the file does meanwhile: the header has promised them.
      for (let left = size; left > 0; ) {
        if (this.isCancelled()) throw new PackCancelled();
        const wanted = Math.min(left, chunkBytes);
        const read = readSync(fd, this.chunk, 0, wanted, null);
        this.sink.content(read === 0 ? zeroes.subarray(0, wanted) : this.chunk.subarray(0, read));
        left -= read === 0 ? wanted : read;
      }
      this.sink.bytes(tarPadding(size));
    } finally {
      closeSync(fd);
    }
  }

  private marker(name: string, { uid, gid, mtimeNs }: BigIntStats): void {
    this.header(name, 'file', { uid, gid, mtimeNs, mode: 0o600n });
  }

  private header(
    name: string,
    type: TarEntryType,
    info: Pick<BigIntStats, 'mode' | 'uid' | 'gid' | 'mtimeNs'>,
    more: Partial<TarHeader> = {},
  ): void {
    this.entries++;
    const { latestNs } = this.options;
    this.sink.bytes(
      encodeTarHeader({
        name,
        type,
        linkName: '',
        size: 0,
        mode: Number(info.mode) & 0o7777,
        uid: Number(info.uid),
        gid: Number(info.gid),
        modifiedNs: latestNs !== undefined && info.mtimeNs > latestNs ? latestNs : info.mtimeNs,
        deviceMajor: 0,
        deviceMinor: 0,
        xattrs: new Map(),
        ...more,
      }),
    );
  }
}

export class PackCancelled extends Error {
  constructor() {
    super('packing was cancelled');
    this.name = 'PackCancelled';
  }
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
function xattrsOf(path: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const name of listXattrs(nativePath(path))) {
    if (!name.startsWith('user.') && name !== 'security.capability') continue;
    const value = getXattr(nativePath(path), name);
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

import {
  chmodSync,
  closeSync,
  fchmodSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { invalidParameter } from '@gantry/sdk/errors';
import { deviceNumber, makeNode, nodeTypes } from '@gantry/sdk/linux/file-nodes';
import { setTimes } from '@gantry/sdk/linux/file-times';
import { setXattr } from '@gantry/sdk/linux/xattr';
import { type TarHandler, type TarHeader, TarReader } from '@gantry/sdk/tar';
import { forFs, forLibc, joinPath, toText } from './byte-path';

export interface UnpackOptions {
  /** A directory does not replace a file, nor the other way round. */
  readonly noOverwriteDirNonDir: boolean;
  /** Who owns everything; undefined = as the archive says. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * Unpacks an archive below a directory. Links are followed as the file system of this process has them: it runs
 * with the container's root as its own. Synchronous.
 */
export class TreeUnpacker implements TarHandler {
  private readonly reader = new TarReader(this);
  private readonly directoryTimes: { path: string; header: TarHeader }[] = [];
  private file: { fd: number; path: string; header: TarHeader; segment: number; written: number } | undefined;

  constructor(
    private readonly target: string,
    private readonly options: UnpackOptions,
  ) {}

  /** @throws invalid-parameter  not a tar archive, or an entry that leaves the target */
  write(chunk: Buffer): void {
    this.reader.write(chunk);
  }

  /** The archive is complete. */
  end(): void {
    this.reader.end();
    // Last, and the deepest first: every entry made inside changes its directory's time.
    for (const { path, header } of this.directoryTimes.reverse())
      setTimes(forLibc(path), header.accessedNs ?? header.modifiedNs, header.modifiedNs);
  }

  entry(header: TarHeader): boolean {
    const name = cleanName(header.name);
    const path = name === '' ? this.target : joinPath(this.target, name);
    if (name === '') {
      if (header.type !== 'directory') throw invalidParameter('invalid tar entry: the root is not a directory');
      return false;
    }
    this.makeParents(name);
    const keeps = this.clearWay(path, header);
    switch (header.type) {
      case 'file':
        this.file = { fd: openSync(forFs(path), 'wx', 0o600), path, header, segment: 0, written: 0 };
        return true;
      case 'directory':
        if (!keeps) mkdirSync(forFs(path), 0o700);
        break;
      case 'hardlink':
        linkSync(forFs(joinPath(this.target, cleanName(header.linkName))), forFs(path));
        return false;
      case 'symlink':
        symlinkSync(forFs(header.linkName), forFs(path));
        break;
      case 'fifo':
        makeNode(forLibc(path), nodeTypes.fifo | 0o600);
        break;
      case 'character':
      case 'block':
        makeNode(forLibc(path), nodeTypes[header.type] | 0o600, deviceNumber(header.deviceMajor, header.deviceMinor));
        break;
    }
    this.applyMetadata(path, header);
    return false;
  }

  data(chunk: Buffer): void {
    const file = this.file;
    if (file === undefined) return;
    const segments = file.header.sparse?.segments;
    for (let at = 0; at < chunk.length; ) {
      const segment = segments?.[file.segment];
      if (segment === undefined) {
        at += writeSync(file.fd, chunk, at, chunk.length - at);
        continue;
      }
      const length = Math.min(chunk.length - at, segment.size - file.written);
      const written = writeSync(file.fd, chunk, at, length, segment.offset + file.written);
      at += written;
      file.written += written;
      if (file.written === segment.size) {
        file.segment++;
        file.written = 0;
      }
    }
  }

  entryEnd(): void {
    const file = this.file;
    this.file = undefined;
    if (file === undefined) return;
    if (file.header.sparse) ftruncateSync(file.fd, file.header.sparse.realSize);
    fchmodSync(file.fd, 0o600);
    closeSync(file.fd);
    this.applyMetadata(file.path, file.header);
  }

  raw(): void {}

  /** True when a directory stays as it is and only gets its metadata. */
  private clearWay(path: string, header: TarHeader): boolean {
    const present = lstatSync(forFs(path), { throwIfNoEntry: false });
    if (present === undefined) return false;
    const isDirectory = header.type === 'directory';
    if (present.isDirectory() && isDirectory) return true;
    if (this.options.noOverwriteDirNonDir && present.isDirectory() !== isDirectory)
      throw invalidParameter(
        isDirectory
          ? `cannot overwrite non-directory "${toText(path)}" with directory "${toText(this.target)}"`
          : `cannot overwrite directory "${toText(path)}" with non-directory "${toText(this.target)}"`,
      );
    rmSync(forFs(path), { recursive: true, force: true });
    return false;
  }

  private makeParents(name: string): void {
    for (let slash = name.indexOf('/'); slash > 0; slash = name.indexOf('/', slash + 1)) {
      const parent = joinPath(this.target, name.slice(0, slash));
      if (lstatSync(forFs(parent), { throwIfNoEntry: false }) === undefined) mkdirSync(forFs(parent), 0o755);
    }
  }

  private applyMetadata(path: string, header: TarHeader): void {
    const { owner } = this.options;
    lchownSync(forFs(path), owner?.uid ?? header.uid, owner?.gid ?? header.gid);
    // After chown, which takes away setuid and capabilities.
    for (const [name, value] of header.xattrs)
      if (name.startsWith('user.') || name === 'security.capability') setXattr(forLibc(path), name, value);
    if (header.type !== 'symlink') chmodSync(forFs(path), header.mode);
    if (header.type === 'directory') this.directoryTimes.push({ path, header });
    else setTimes(forLibc(path), header.accessedNs ?? header.modifiedNs, header.modifiedNs);
  }
}

/** @throws invalid-parameter  the name leads out of the archive's own tree */
function cleanName(name: string): string {
  if (name.includes('\0')) throw invalidParameter('invalid tar entry: name with a zero byte');
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') throw invalidParameter(`invalid tar entry: "${toText(name)}" leads out of the archive`);
    parts.push(part);
  }
  return parts.join('/');
}

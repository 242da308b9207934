import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { invalidParameter } from '@gantry/sdk';
import { deviceNumber, makeNode, nodeTypes } from '@gantry/sdk/linux/file-nodes';
import { setTimes } from '@gantry/sdk/linux/file-times';
import { setXattr } from '@gantry/sdk/linux/xattr';
import type { TarHeader } from '@gantry/sdk/tar';
import { bytesOf, cleanEntryPath, nativePath, systemPath } from './entry-path';

const whiteoutPrefix = '.wh.';
const whiteoutMetaPrefix = '.wh..wh.';
const opaqueMarker = '.wh..wh..opq';
const yes = Buffer.from('y');

/**
 * Writes the entries of one layer below a directory, in overlayfs form. Synchronous: belongs into a worker.
 *
 * @see OCI image spec, layer.md, "Whiteouts"
 */
export class LayerExtractor {
  /** Bytes of regular files and of the targets of symbolic links, as dockerd counts. */
  sizeBytes = 0;
  /** Directories made because an entry named something below them; they carry no metadata of their own. */
  readonly impliedDirectories: string[] = [];
  private readonly root: string;
  private readonly seen = new Set<string>();
  private readonly realDirectories = new Set<string>(['']);
  private readonly whiteouts = new Set<string>();
  private readonly directoryTimes = new Map<string, { accessedNs: bigint; modifiedNs: bigint }>();
  private file:
    | {
        fd: number;
        path: string;
        header: TarHeader /** Index, and bytes of it, in a sparse map. */;
        segment: number;
        written: number;
      }
    | undefined;

  /** @param root absolute path of an empty directory */
  constructor(root: string) {
    this.root = bytesOf(root);
  }

  /** Clean path whose payload must follow by `write` and `endEntry`, or undefined when the payload is not wanted. */
  begin(header: TarHeader): string | undefined {
    const path = cleanEntryPath(header.name);
    if (this.seen.has(path)) throw invalidParameter(`duplicates of file paths not supported: "${header.name}"`);
    this.seen.add(path);
    if (path === '') {
      if (header.type !== 'directory') throw invalidParameter('invalid tar entry: the root is not a directory');
      this.applyMetadata('', header);
      return undefined;
    }
    const slash = path.lastIndexOf('/');
    const base = path.slice(slash + 1);
    const parent = this.parentDirectory(slash < 0 ? '' : path.slice(0, slash));
    if (base.startsWith(whiteoutPrefix)) {
      this.whiteout(parent, base);
      return undefined;
    }
    const target = parent === '' ? base : `${parent}/${base}`;
    const full = this.full(target);
    const wasWhiteout = this.clearWay(target, full, header);
    switch (header.type) {
      case 'file':
        this.sizeBytes += header.sparse?.realSize ?? header.size;
        this.file = { fd: this.create(full), path: target, header, segment: 0, written: 0 };
        return target;
      case 'directory':
        if (!this.realDirectories.has(target)) {
          mkdirSync(systemPath(full), 0o700);
          this.realDirectories.add(target);
        }
        if (wasWhiteout) setXattr(nativePath(full), 'trusted.overlay.opaque', yes);
        break;
      case 'hardlink':
        linkSync(systemPath(this.full(this.linkTarget(header))), systemPath(full));
        return undefined;
      case 'symlink':
        this.sizeBytes += header.linkName.length;
        symlinkSync(systemPath(header.linkName), systemPath(full));
        break;
      case 'fifo':
        makeNode(nativePath(full), nodeTypes.fifo | 0o600);
        break;
      case 'character':
      case 'block':
        makeNode(
          nativePath(full),
          nodeTypes[header.type] | 0o600,
          deviceNumber(header.deviceMajor, header.deviceMinor),
        );
        break;
    }
    this.applyMetadata(target, header);
    return undefined;
  }

  write(chunk: Buffer): void {
    const file = this.file!;
    const segments = file.header.sparse?.segments;
    let at = 0;
    while (at < chunk.length) {
      const segment = segments?.[file.segment];
      if (segment === undefined) {
        at += writeSync(file.fd, chunk, at);
        continue;
      }
      const length = Math.min(chunk.length - at, segment.size - file.written);
      const done = writeSync(file.fd, chunk, at, length, segment.offset + file.written);
      at += done;
      file.written += done;
      if (file.written < segment.size) continue;
      file.segment++;
      file.written = 0;
    }
  }

  endEntry(): void {
    if (this.file === undefined) return;
    const { fd, path, header } = this.file;
    this.file = undefined;
    try {
      if (header.sparse !== undefined) ftruncateSync(fd, header.sparse.realSize);
      fchownSync(fd, header.uid, header.gid);
      // After chown, which clears setuid and setgid.
      fchmodSync(fd, header.mode);
    } finally {
      closeSync(fd);
    }
    this.applyXattrs(path, header);
    setTimes(nativePath(this.full(path)), header.accessedNs ?? header.modifiedNs, header.modifiedNs);
  }

  /** Sets the times of directories, deepest first, now that nothing is made in them any more. */
  finish(): void {
    const paths = [...this.directoryTimes.keys()].sort((a, b) => b.length - a.length);
    for (const path of paths) {
      const { accessedNs, modifiedNs } = this.directoryTimes.get(path)!;
      setTimes(nativePath(this.full(path)), accessedNs, modifiedNs);
    }
  }

  /** Releases the open file after a failure. */
  close(): void {
    if (this.file !== undefined) closeSync(this.file.fd);
    this.file = undefined;
  }

  private create(full: string): number {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
    return openSync(systemPath(full), flags, 0o600);
  }

  private applyMetadata(path: string, header: TarHeader): void {
    const full = this.full(path);
    lchownSync(systemPath(full), header.uid, header.gid);
    if (header.type !== 'symlink') chmodSync(systemPath(full), header.mode);
    this.applyXattrs(path, header);
    const times = { accessedNs: header.accessedNs ?? header.modifiedNs, modifiedNs: header.modifiedNs };
    if (header.type === 'directory') this.directoryTimes.set(path, times);
    else setTimes(nativePath(full), times.accessedNs, times.modifiedNs);
  }

  private applyXattrs(path: string, header: TarHeader): void {
    for (const [name, value] of header.xattrs) {
      // overlayfs would take these as its own notes about the lower layers.
      if (name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.')) continue;
      try {
        setXattr(nativePath(this.full(path)), name, value);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // The file system has no such attributes, or not on this type of file: the same choice dockerd makes.
        if (code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && !(code === 'EPERM' && name.startsWith('user.'))) throw error;
      }
    }
  }

  private whiteout(parent: string, base: string): void {
    if (base === opaqueMarker) {
      setXattr(nativePath(this.full(parent)), 'trusted.overlay.opaque', yes);
      return;
    }
    // Notes of old storage drivers, not content.
    if (base.startsWith(whiteoutMetaPrefix)) return;
    const name = base.slice(whiteoutPrefix.length);
    if (name === '' || name === '.' || name === '..') throw invalidParameter(`invalid whiteout name: "${base}"`);
    const target = parent === '' ? name : `${parent}/${name}`;
    const full = this.full(target);
    try {
      makeNode(nativePath(full), nodeTypes.character, 0n);
      this.whiteouts.add(target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      // The layer also brings the path anew: the whiteout only hides what lower layers have.
      if (this.realDirectories.has(target) || lstatSync(systemPath(full)).isDirectory())
        setXattr(nativePath(full), 'trusted.overlay.opaque', yes);
    }
  }

  /** Removes what this layer put at `target` by implication. True when that was a whiteout. */
  private clearWay(target: string, full: string, header: TarHeader): boolean {
    if (this.whiteouts.delete(target)) {
      unlinkSync(systemPath(full));
      return true;
    }
    if (this.realDirectories.has(target) && header.type !== 'directory')
      throw invalidParameter(`invalid tar entry: "${header.name}" replaces a directory of the same layer`);
    return false;
  }

  private linkTarget(header: TarHeader): string {
    const path = cleanEntryPath(header.linkName.replace(/^\/+/, ''));
    const slash = path.lastIndexOf('/');
    const parent = this.existingDirectory(slash < 0 ? '' : path.slice(0, slash), header.linkName);
    return parent === '' ? path.slice(slash + 1) : `${parent}/${path.slice(slash + 1)}`;
  }

  /** The real directory for `path`, made where missing. Symbolic links on the way are followed inside the layer. */
  private parentDirectory(path: string): string {
    if (this.realDirectories.has(path)) return path;
    return this.walk(path, path, true, 0);
  }

  private existingDirectory(path: string, shown: string): string {
    if (this.realDirectories.has(path)) return path;
    return this.walk(path, shown, false, 0);
  }

  private walk(path: string, shown: string, make: boolean, depth: number): string {
    if (depth > 40) throw invalidParameter(`invalid tar entry: too many symbolic links in "${shown}"`);
    let current = '';
    const parts = path === '' ? [] : path.split('/');
    for (let i = 0; i < parts.length; i++) {
      const next = current === '' ? parts[i]! : `${current}/${parts[i]}`;
      if (this.realDirectories.has(next)) {
        current = next;
        continue;
      }
      const full = this.full(next);
      const stat = lstatSync(systemPath(full), { throwIfNoEntry: false });
      if (stat === undefined || this.whiteouts.has(next)) {
        if (!make) throw invalidParameter(`invalid tar entry: link target in "${shown}" is not in the layer`);
        const wasWhiteout = this.whiteouts.delete(next);
        if (wasWhiteout) unlinkSync(systemPath(full));
        mkdirSync(systemPath(full));
        chmodSync(systemPath(full), 0o755);
        if (wasWhiteout) setXattr(nativePath(full), 'trusted.overlay.opaque', yes);
        this.impliedDirectories.push(next);
        this.realDirectories.add(next);
        current = next;
      } else if (stat.isSymbolicLink()) {
        const link = readlinkSync(systemPath(full), { encoding: 'latin1' });
        const rest = parts.slice(i + 1).join('/');
        const inside = resolveInside(current, link, shown);
        return this.walk([inside, rest].filter(Boolean).join('/'), shown, make, depth + 1);
      } else if (stat.isDirectory()) {
        this.realDirectories.add(next);
        current = next;
      } else throw invalidParameter(`invalid tar entry: "${next}" in "${shown}" is not a directory`);
    }
    return current;
  }

  private full(path: string): string {
    return path === '' ? this.root : `${this.root}/${path}`;
  }
}

/** Where a link in `directory` points, as a path inside the layer. @throws invalid-parameter it leaves the layer */
function resolveInside(directory: string, link: string, shown: string): string {
  const leaves = () => invalidParameter(`invalid tar entry: "${shown}" leaves the layer through a symbolic link`);
  if (link.startsWith('/')) throw leaves();
  const parts = directory === '' ? [] : directory.split('/');
  for (const part of link.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw leaves();
  }
  return parts.join('/');
}

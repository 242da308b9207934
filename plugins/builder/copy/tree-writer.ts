import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { invalidParameter } from '@gantry/sdk';
import { deviceNumber, makeNode, nodeTypes } from '@gantry/sdk/linux/file-nodes';
import { setTimes } from '@gantry/sdk/linux/file-times';
import { setXattr } from '@gantry/sdk/linux/xattr';
import type { SourceEntry } from '../context/source-tree';
import { forFs, forLibc, toText } from './byte-path';
import { DirectoryTree } from './directory-tree';
import type { ModeChange } from './file-mode';
import type { Owner } from './owner';

const chunkBytes = 1 << 20;
// Below this, reading and writing beats asking the kernel to copy.
const smallBytes = 64 * 1024;

/** Writes files below a root nobody else writes to. Links on the way never lead out of it. Synchronous. */
export class TreeWriter {
  readonly tree: DirectoryTree;
  private readonly chunk = Buffer.allocUnsafe(chunkBytes);
  private readonly known = new Set<string>(['']);
  private readonly times = new Map<string, bigint>();

  /** @param owner of everything; undefined = as the source says, and root for what is made on the way */
  constructor(
    root: string,
    readonly owner: Owner | undefined,
    private readonly mode: ModeChange | undefined,
  ) {
    this.tree = new DirectoryTree(root);
  }

  /** Where a path leads to inside the root, links followed; the end of it need not exist. */
  resolve(path: string): string {
    const pending = path.split('/').reverse();
    const done: string[] = [];
    for (let links = 0; pending.length > 0; ) {
      const part = pending.pop()!;
      if (part === '' || part === '.') continue;
      if (part === '..') {
        done.pop();
        continue;
      }
      const next = [...done, part].join('/');
      const entry = this.known.has(next) ? undefined : this.tree.find(next);
      if (entry?.type !== 'symlink') {
        done.push(part);
        continue;
      }
      if (++links > 255) throw invalidParameter(`too many symbolic links in "${toText(path)}"`);
      if (entry.linkName.startsWith('/')) done.length = 0;
      pending.push(...entry.linkName.split('/').reverse());
    }
    return done.join('/');
  }

  /** A path with the links above its last part followed. */
  parentOf(path: string): string {
    const slash = path.lastIndexOf('/');
    if (slash < 0) return path;
    const parent = path.slice(0, slash);
    const resolved = this.known.has(parent) ? parent : this.resolve(parent);
    return resolved === '' ? path.slice(slash + 1) : `${resolved}${path.slice(slash)}`;
  }

  /** Whether a path is a link that leads to a directory. */
  leadsToDirectory(path: string): boolean {
    if (this.known.has(path) || this.tree.find(path)?.type !== 'symlink') return false;
    return this.tree.find(this.resolve(path))?.type === 'directory';
  }

  /** Makes a directory and those above it. @param path resolved. @returns whether it was made */
  makeDirectory(path: string): boolean {
    if (this.known.has(path)) return false;
    const slash = path.lastIndexOf('/');
    if (slash > 0) this.makeDirectory(path.slice(0, slash));
    const entry = this.tree.find(path);
    this.known.add(path);
    if (entry?.type === 'directory') return false;
    if (entry !== undefined) {
      this.known.delete(path);
      throw invalidParameter(`cannot create directory "/${toText(path)}": it exists and is not a directory`);
    }
    const full = forFs(this.tree.full(path));
    mkdirSync(full);
    // A mode that was asked for is for what is copied.
    chmodSync(full, 0o755);
    if (this.owner !== undefined) lchownSync(full, this.owner.uid, this.owner.gid);
    return true;
  }

  /**
   * Puts an entry at a resolved path. A directory that exists keeps its content; everything else is replaced.
   *
   * @param linkTo resolved path of a file written before, to be the same file
   */
  put(path: string, entry: SourceEntry, linkTo?: string): void {
    if (entry.type === 'directory') {
      const present = this.known.has(path) ? undefined : this.tree.find(path);
      if (present !== undefined && present.type !== 'directory') rmSync(forFs(this.tree.full(path)));
      this.makeDirectory(path);
      this.finish(path, entry);
      return;
    }
    this.makeWay(path);
    const full = this.tree.full(path);
    if (linkTo !== undefined) {
      linkSync(forFs(this.tree.full(linkTo)), forFs(full));
      return;
    }
    switch (entry.type) {
      case 'file':
        this.copyContent(full, entry);
        break;
      case 'symlink':
        symlinkSync(forFs(entry.linkName), forFs(full));
        break;
      case 'fifo':
        makeNode(forLibc(full), nodeTypes.fifo | 0o600);
        break;
      case 'character':
      case 'block':
        makeNode(
          forLibc(full),
          nodeTypes[entry.type] | 0o600,
          deviceNumber(entry.device?.major ?? 0, entry.device?.minor ?? 0),
        );
    }
    this.finish(path, entry);
  }

  /** Removes what is in the way of a file, and makes the directories above it. */
  makeWay(path: string): void {
    const slash = path.lastIndexOf('/');
    if (slash > 0) this.makeDirectory(path.slice(0, slash));
    const present = this.known.has(path) ? undefined : this.tree.find(path);
    if (present?.type === 'directory' || this.known.has(path))
      throw invalidParameter(`cannot replace directory "/${toText(path)}" with a file`);
    // A file that is only overwritten would keep other names of it.
    if (present !== undefined) rmSync(forFs(this.tree.full(path)));
  }

  /** Opens a file for its bytes; `finish` follows. */
  create(path: string): number {
    return openSync(forFs(this.tree.full(path)), 'wx', 0o600);
  }

  /** Gives a path its owner, mode, attributes and, for a directory at the end of it all, its time. */
  finish(path: string, entry: SourceEntry): void {
    const full = this.tree.full(path);
    lchownSync(forFs(full), this.owner?.uid ?? entry.uid, this.owner?.gid ?? entry.gid);
    for (const [name, value] of entry.xattrs)
      if (name.startsWith('user.') || name === 'security.capability') setXattr(forLibc(full), name, Buffer.from(value));
    // After chown, which takes setuid away.
    if (entry.type !== 'symlink')
      chmodSync(forFs(full), this.mode?.(entry.mode, entry.type === 'directory') ?? entry.mode);
    if (entry.type === 'directory') this.times.set(path, entry.modifiedNs);
    else setTimes(forLibc(full), entry.modifiedNs, entry.modifiedNs);
  }

  /** Nothing more is written: directories get their times, the deepest first. */
  end(): void {
    const paths = [...this.times.keys()].sort((a, b) => b.length - a.length);
    for (const path of paths) {
      const at = this.times.get(path)!;
      setTimes(forLibc(this.tree.full(path)), at, at);
    }
  }

  private copyContent(target: string, { content, size }: SourceEntry): void {
    const { path, offset } = content!;
    if (offset === 0 && size > smallBytes) {
      copyFileSync(forFs(path), forFs(target), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      return;
    }
    const source = openSync(forFs(path), 'r');
    try {
      const out = openSync(forFs(target), 'wx', 0o600);
      try {
        for (let at = offset, left = size; left > 0; ) {
          const read = readSync(source, this.chunk, 0, Math.min(left, chunkBytes), at);
          if (read === 0) break;
          for (let done = 0; done < read; ) done += writeSync(out, this.chunk, done, read - done);
          at += read;
          left -= read;
        }
        fchmodSync(out, 0o600);
      } finally {
        closeSync(out);
      }
    } finally {
      closeSync(source);
    }
  }
}

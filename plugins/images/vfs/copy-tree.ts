import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { cancelled } from '@gantry/sdk';
import { makeNode } from '@gantry/sdk/linux/file-nodes';
import { bytesOf, nativePath, systemPath } from '../unpack/entry-path';
import { type MergedEntry, mergedChildren, mergedRoot } from './merged-tree';
import { copyMetadata } from './node-metadata';

export interface CopyRequest {
  /** Layers in overlayfs form, absolute, uppermost first; empty = nothing but the root is made. */
  readonly stack: readonly string[];
  /** Absolute; must not exist, its parent must. */
  readonly target: string;
}

const blockBytes = 64 * 1024;

/**
 * Copies what a stack of layers shows, with owners, modes, times, attributes, hard links, devices and holes. Files share
 * their blocks with the layers where the file system can do that. Synchronous: run it in a worker.
 */
export function copyTree({ stack, target }: CopyRequest, isCancelled: () => boolean): void {
  const root = bytesOf(target);
  mkdirSync(systemPath(root), { mode: 0o755 });
  const directories = mergedRoot(stack.map(bytesOf));
  if (directories.length > 0) new TreeCopier(isCancelled).directory(directories, root);
}

class TreeCopier {
  /** Where a file with several names was copied to. */
  private readonly copied = new Map<string, string>();

  constructor(private readonly isCancelled: () => boolean) {}

  directory(directories: readonly string[], target: string): void {
    for (const [name, entry] of mergedChildren(directories)) this.entry(entry, `${target}/${name}`);
    // Last: what is made in a directory changes its times.
    const info = lstatSync(systemPath(directories[0]!), { bigint: true });
    copyMetadata(directories[0]!, info, target);
  }

  private entry({ path, info, directories }: MergedEntry, target: string): void {
    if (this.isCancelled()) throw cancelled('copying was cancelled');
    if (directories.length > 0) {
      mkdirSync(systemPath(target), { mode: 0o700 });
      this.directory(directories, target);
      return;
    }
    const key = `${info.dev}:${info.ino}`;
    const earlier = info.nlink > 1n ? this.copied.get(key) : undefined;
    if (earlier !== undefined) {
      linkSync(systemPath(earlier), systemPath(target));
      return;
    }
    if (info.isFile()) copyContent(path, info, target);
    else if (info.isSymbolicLink())
      symlinkSync(systemPath(readlinkSync(systemPath(path), { encoding: 'latin1' })), systemPath(target));
    else makeNode(nativePath(target), Number(info.mode), info.rdev);
    copyMetadata(path, info, target);
    if (info.nlink > 1n) this.copied.set(key, target);
  }
}

function copyContent(from: string, info: BigIntStats, to: string): void {
  const isSparse = info.blocks * 512n < info.size;
  if (!isSparse) {
    copyFileSync(systemPath(from), systemPath(to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return;
  }
  const source = openSync(systemPath(from), 'r');
  const target = openSync(systemPath(to), 'wx', 0o600);
  try {
    const block = Buffer.allocUnsafe(blockBytes);
    const hole = Buffer.alloc(blockBytes);
    let at = 0;
    for (let read = 1; read > 0; at += read) {
      read = readSync(source, block, 0, blockBytes, at);
      const part = block.subarray(0, read);
      if (part.equals(hole.subarray(0, read))) continue;
      for (let done = 0; done < read; ) done += writeSync(target, part, done, read - done, at + done);
    }
    ftruncateSync(target, at);
  } finally {
    closeSync(target);
    closeSync(source);
  }
}

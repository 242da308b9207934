import { lstatSync, rmSync } from 'node:fs';
import type { SourceEntry } from '../context/source-tree';
import { forFs } from './byte-path';
import { DirectoryTree } from './directory-tree';
import { TreeWriter } from './tree-writer';

/** Makes the tree at `root` like the one at `source`, touching only what differs. Synchronous. */
export function makeEqual(root: string, source: string): void {
  const wanted = new DirectoryTree(source);
  const writer = new TreeWriter(root, undefined, undefined);
  visit('', wanted, writer);
  writer.end();
}

function visit(directory: string, wanted: DirectoryTree, writer: TreeWriter): void {
  const names = wanted.list(directory);
  const kept = new Set(names);
  for (const name of writer.tree.list(directory))
    if (!kept.has(name)) rmSync(forFs(writer.tree.full(join(directory, name))), { recursive: true, force: true });
  for (const name of names) {
    const path = join(directory, name);
    const entry = wanted.find(path);
    if (entry === undefined) continue;
    const present = writer.tree.find(path);
    const same = present !== undefined && isSame(entry, present) && sameFile(path, entry, wanted, writer.tree);
    if (!same) {
      if (present !== undefined && present.type !== entry.type)
        rmSync(forFs(writer.tree.full(path)), { recursive: true, force: true });
      writer.put(path, entry);
    }
    if (entry.type === 'directory') visit(path, wanted, writer);
  }
}

function isSame(a: SourceEntry, b: SourceEntry): boolean {
  const facts = ({ type, mode, uid, gid, size, modifiedNs, linkName, device }: SourceEntry) =>
    `${type} ${mode} ${uid} ${gid} ${size} ${type === 'directory' ? 0 : modifiedNs} ${device?.major}:${device?.minor} ${linkName}`;
  return facts(a) === facts(b) && a.xattrs.size === b.xattrs.size;
}

/** Unchanged files of a common layer are one and the same on disk. */
function sameFile(path: string, { type }: SourceEntry, a: DirectoryTree, b: DirectoryTree): boolean {
  if (type !== 'file') return true;
  return lstatSync(forFs(a.full(path))).ino === lstatSync(forFs(b.full(path))).ino;
}

const join = (directory: string, name: string) => (directory === '' ? name : `${directory}/${name}`);

import { rmdirSync, unlinkSync } from 'node:fs';
import { forFs, toBytes, toText } from './byte-path';
import type { ResolvedPlace } from './file-tasks';
import type { CopyItem } from './select-files';
import { TreeWriter } from './tree-writer';

/** Writes entries below an empty directory. */
export function unpackTree(items: readonly CopyItem[], root: string): void {
  const writer = new TreeWriter(root, { uid: 0, gid: 0 }, undefined);
  for (const { path, entry } of items) if (path !== '') writer.put(path, entry);
  writer.end();
}

/** Follows links below a root and never out of it. */
export function resolveInside(root: string, path: string): ResolvedPlace {
  const writer = new TreeWriter(root, undefined, undefined);
  const found = writer.resolve(toBytes(path));
  const type = writer.tree.find(found)?.type;
  return {
    path: toText(writer.tree.full(found)),
    type: type === undefined || type === 'file' || type === 'directory' ? type : 'other',
  };
}

/** Resolved paths that are not there, the deepest first. */
export function missingPaths(root: string, paths: readonly string[]): string[] {
  const writer = new TreeWriter(root, undefined, undefined);
  const missing = new Set<string>();
  for (const path of paths)
    for (let at = writer.resolve(toBytes(path)); at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/'))))
      if (writer.tree.find(at) === undefined) missing.add(at);
  return [...missing].sort((a, b) => b.length - a.length).map(toText);
}

/** Removes empty directories and files; what holds something stays, and what leads elsewhere by now too. */
export function removeEmpty(root: string, paths: readonly string[]): void {
  const writer = new TreeWriter(root, undefined, undefined);
  for (const text of paths) {
    const path = toBytes(text);
    const entry = writer.resolve(path) === path ? writer.tree.find(path) : undefined;
    const full = forFs(writer.tree.full(path));
    if (entry?.type === 'directory' && writer.tree.list(path).length === 0) rmdirSync(full);
    else if (entry?.type === 'file' && entry.size === 0) unlinkSync(full);
  }
}

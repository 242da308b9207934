import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { getXattr } from '@gantry/sdk/linux/xattr';
import { nativePath, systemPath } from '../unpack/entry-path';

/** A name in a directory that several layers make together. Paths are byte strings, one character per byte. */
export interface MergedEntry {
  /** In the uppermost layer that has it: metadata and content count from there. */
  readonly path: string;
  readonly info: BigIntStats;
  /** Of a directory: it and those of the layers below that show through, uppermost first. */
  readonly directories: readonly string[];
}

/** The directories that make up the root of a stack of layers. @param stack absolute paths, uppermost first */
export function mergedRoot(stack: readonly string[]): readonly string[] {
  const opaque = stack.findIndex((path) => isOpaque(path));
  return opaque < 0 ? stack : stack.slice(0, opaque + 1);
}

/** What overlayfs would show in a directory, by name. Synchronous: belongs into a worker. */
export function mergedChildren(directories: readonly string[]): Map<string, MergedEntry> {
  const children = new Map<string, MergedEntry>();
  const settled = new Set<string>();
  const open = new Map<string, string[]>();
  for (const directory of directories)
    for (const name of readdirSync(systemPath(directory), 'latin1')) {
      if (settled.has(name)) continue;
      const path = `${directory}/${name}`;
      const info = lstatSync(systemPath(path), { bigint: true });
      const above = open.get(name);
      if (!info.isDirectory()) {
        settled.add(name);
        // A file or a deletion below a directory shows nothing through.
        if (above === undefined && !isWhiteout(info)) children.set(name, { path, info, directories: [] });
        continue;
      }
      if (isOpaque(path)) settled.add(name);
      if (above !== undefined) above.push(path);
      else {
        const parts = [path];
        open.set(name, parts);
        children.set(name, { path, info, directories: parts });
      }
    }
  return children;
}

const isWhiteout = (info: BigIntStats) => info.isCharacterDevice() && info.rdev === 0n;

const isOpaque = (path: string) => getXattr(nativePath(path), 'trusted.overlay.opaque')?.toString() === 'y';

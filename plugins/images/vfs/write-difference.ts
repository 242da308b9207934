import { linkSync, lstatSync, mkdirSync } from 'node:fs';
import { makeNode, nodeTypes } from '@gantry/sdk/linux/file-nodes';
import { nativePath, systemPath } from '../unpack/entry-path';
import type { TreeChange } from './compare-trees';
import { copyMetadata } from './node-metadata';

/**
 * Makes a layer in overlayfs form out of changes found in a tree. Files are further names of the tree's own, so that
 * nothing is copied. Synchronous: belongs into a worker.
 *
 * @param changes sorted by path, directories on the way included
 */
export function writeDifference(tree: string, changes: readonly TreeChange[], target: string): void {
  const directories = [''];
  mkdirSync(systemPath(target), { mode: 0o755 });
  for (const { path, kind } of changes) {
    if (kind === 2) {
      makeNode(nativePath(`${target}${path}`), nodeTypes.character, 0n);
      continue;
    }
    const info = lstatSync(systemPath(`${tree}${path}`), { throwIfNoEntry: false });
    // Gone since it was looked at: the container runs.
    if (info === undefined) continue;
    if (info.isDirectory()) {
      mkdirSync(systemPath(`${target}${path}`), { mode: 0o700 });
      directories.push(path);
    } else linkSync(systemPath(`${tree}${path}`), systemPath(`${target}${path}`));
  }
  // Children first, so that nothing is made in a directory whose times are set.
  for (const path of directories.reverse()) {
    const info = lstatSync(systemPath(`${tree}${path}`), { bigint: true, throwIfNoEntry: false });
    if (info !== undefined) copyMetadata(`${tree}${path}`, info, `${target}${path}`);
  }
}

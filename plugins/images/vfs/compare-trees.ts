import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { cancelled, type LayerChange } from '@gantry/sdk';
import { bytesOf, systemPath } from '../unpack/entry-path';
import { mergedChildren, mergedRoot } from './merged-tree';
import { attributesOf } from './node-metadata';
import { writeDifference } from './write-difference';

export interface CompareRequest {
  /** A copy of what `stack` shows, changed since. */
  readonly tree: string;
  /** Layers in overlayfs form, uppermost first. */
  readonly stack: readonly string[];
  /** Where a layer with the differences is made; must not exist. It shares its files with `tree`. */
  readonly difference?: string;
}

export interface Comparison {
  /** Sorted by path; directories on the way to a change are modified. */
  readonly changes: readonly LayerChange[];
  /** Of files added or modified, each inode once. */
  readonly bytes: number;
}

/** A change whose path is a byte string. */
export interface TreeChange {
  readonly path: string;
  readonly kind: LayerChange['kind'];
}

const modified = 0;
const added = 1;
const deleted = 2;

/** Finds what was changed in a copy of a stack of layers. Synchronous: run it in a worker. */
export function compareTrees({ tree, stack, difference }: CompareRequest, isCancelled: () => boolean): Comparison {
  const comparer = new TreeComparer(isCancelled);
  comparer.directory(bytesOf(tree), '', mergedRoot(stack.map(bytesOf)));
  const found = comparer.changes.sort((a, b) => (a.path < b.path ? -1 : 1));
  if (difference !== undefined) writeDifference(bytesOf(tree), found, bytesOf(difference));
  return {
    changes: found.map(({ path, kind }) => ({ path: Buffer.from(path, 'latin1').toString('utf8'), kind })),
    bytes: comparer.bytes,
  };
}

class TreeComparer {
  readonly changes: TreeChange[] = [];
  bytes = 0;
  private readonly counted = new Set<bigint>();

  constructor(private readonly isCancelled: () => boolean) {}

  /** @returns whether something in it changed */
  directory(tree: string, path: string, below: readonly string[]): boolean {
    const before = this.changes.length;
    const expected = mergedChildren(below);
    for (const name of readdirSync(systemPath(tree), 'latin1')) {
      if (this.isCancelled()) throw cancelled('comparing was cancelled');
      const child = `${path}/${name}`;
      const full = `${tree}/${name}`;
      // What vanishes meanwhile, of a container that runs, is a deletion.
      const info = lstatSync(systemPath(full), { bigint: true, throwIfNoEntry: false });
      if (info === undefined) continue;
      const entry = expected.get(name);
      expected.delete(name);
      const isSame = entry !== undefined && !differs(full, info, entry.path, entry.info);
      const inside = info.isDirectory() && this.directory(full, child, entry?.directories ?? []);
      if (isSame && !inside) continue;
      this.changes.push({ path: child, kind: entry === undefined ? added : modified });
      if (!info.isDirectory()) this.count(info);
    }
    for (const name of expected.keys()) this.changes.push({ path: `${path}/${name}`, kind: deleted });
    return this.changes.length > before;
  }

  private count(info: BigIntStats): void {
    if (this.counted.has(info.ino)) return;
    this.counted.add(info.ino);
    this.bytes += Number(info.size);
  }
}

function differs(path: string, info: BigIntStats, otherPath: string, other: BigIntStats): boolean {
  if (info.mode !== other.mode || info.uid !== other.uid || info.gid !== other.gid || info.rdev !== other.rdev)
    return true;
  if (!info.isDirectory() && (info.size !== other.size || info.mtimeNs !== other.mtimeNs)) return true;
  const attributes = attributesOf(path);
  const others = attributesOf(otherPath);
  return attributes.size !== others.size || [...attributes].some(([name, value]) => !others.get(name)?.equals(value));
}

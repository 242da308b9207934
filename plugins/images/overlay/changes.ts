import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerChange } from '@gantry/sdk';
import { getXattr } from '@gantry/sdk/linux/xattr';

const modified = 0;
const added = 1;
const deleted = 2;

/**
 * What an upper directory changes about the directories below it. Sorted by path; a directory is listed as modified
 * when something in it changed.
 *
 * @param lower uppermost first
 */
export async function overlayChanges(upper: string, lower: readonly string[]): Promise<LayerChange[]> {
  const found = new Map<string, LayerChange['kind']>();
  await visit('', lower, upper, found);
  for (const path of [...found.keys()]) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (found.has(parent)) break;
      found.set(parent, modified);
    }
  }
  return [...found].map(([path, kind]) => ({ path, kind })).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** @param lower the lower directories that still show through at `path`'s parent */
async function visit(
  path: string,
  lower: readonly string[],
  upper: string,
  found: Map<string, LayerChange['kind']>,
): Promise<void> {
  for (const name of await readdir(join(upper, path))) {
    const child = `${path}/${name}`;
    const stat = await lstat(join(upper, child), { bigint: true });
    const below = await lookup(child, lower);
    if (isWhiteout(stat)) {
      if (below !== undefined) found.set(child, deleted);
      continue;
    }
    if (below === undefined) found.set(child, added);
    else if (!(stat.isDirectory() && below.isDirectory() && sameDirectory(stat, below))) found.set(child, modified);
    if (!stat.isDirectory()) continue;
    const opaque = isOpaque(join(upper, child));
    if (opaque && below?.isDirectory()) await markHidden(child, lower, upper, found);
    await visit(child, opaque ? [] : lower, upper, found);
  }
}

/** Everything below an opaque directory that the upper one does not bring again is deleted. */
async function markHidden(
  path: string,
  lower: readonly string[],
  upper: string,
  found: Map<string, LayerChange['kind']>,
): Promise<void> {
  const names = new Set<string>();
  for (const layer of lower) for (const name of await readdir(join(layer, path)).catch(() => [])) names.add(name);
  for (const name of names) {
    const child = `${path}/${name}`;
    if ((await lookup(child, lower)) === undefined) continue;
    const again = await lstat(join(upper, child)).catch(() => undefined);
    if (again === undefined) found.set(child, deleted);
  }
}

async function lookup(path: string, lower: readonly string[]): Promise<BigIntStats | undefined> {
  const parts = path.slice(1).split('/');
  for (const layer of lower) {
    let at = layer;
    let hides = false;
    for (const [index, part] of parts.entries()) {
      at = join(at, part);
      const stat = await lstat(at, { bigint: true }).catch(() => undefined);
      if (stat === undefined) break;
      if (isWhiteout(stat)) return undefined;
      if (index === parts.length - 1) return stat;
      if (!stat.isDirectory()) return undefined;
      hides ||= isOpaque(at);
    }
    if (hides) return undefined;
  }
  return undefined;
}

function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n;
}

function isOpaque(path: string): boolean {
  return getXattr(path, 'trusted.overlay.opaque')?.toString() === 'y';
}

// The kernel copies a directory up whenever something below it changes.
function sameDirectory(a: BigIntStats, b: BigIntStats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeNs === b.mtimeNs;
}

import { invalidParameter } from '@gantry/sdk';
import { durationNs } from '../dockerfile/duration';
import type { Builder } from '../engine/builder';
import { type CacheEntry, cacheId } from './build-cache';
import type { StoredCacheMount } from './cache-mounts';

/** One thing prune can remove: the result of a step, or a cache mount. */
export type Prunable =
  | { readonly kind: 'step'; readonly id: string; readonly entry: CacheEntry }
  | { readonly kind: 'mount'; readonly id: string; readonly mount: StoredCacheMount };

/** Everything the cache holds. */
export async function listPrunable({ cache, cacheMounts }: Builder): Promise<Prunable[]> {
  const [entries, mounts] = await Promise.all([cache.entries(), cacheMounts.list()]);
  return [
    ...entries.map((entry): Prunable => ({ kind: 'step', id: cacheId(entry.key), entry })),
    ...mounts.map((mount): Prunable => ({ kind: 'mount', id: mount.name, mount })),
  ];
}

/** What goes, and what stays all the same. */
export interface PruneRequest {
  /** Also what images with a name stand on. */
  readonly all: boolean;
  /** So much stays, of what was used last; 0 = nothing. */
  readonly keepBytes: number;
  readonly fits: (one: Prunable) => boolean;
}

/** Removes what nobody uses. @returns what went, and the bytes this freed */
export async function removePrunable(
  builder: Builder,
  { all, keepBytes, fits }: PruneRequest,
): Promise<{ readonly removed: readonly Prunable[]; readonly reclaimed: number }> {
  const found = (await listPrunable(builder)).filter((one) => !inUse(one));
  // What an image with a name stands on frees nothing: its record goes only when everything is to go.
  const candidates = found.filter((one) => (all || !isShared(one)) && fits(one));
  const sizes = (list: readonly Prunable[]) => list.reduce((sum, one) => sum + (isShared(one) ? 0 : sizeOf(one)), 0);
  let total = sizes(found);
  candidates.sort((a, b) => usedAt(a) - usedAt(b));
  const leaving = candidates.filter((one) => {
    if (keepBytes > 0 && total <= keepBytes) return false;
    total -= isShared(one) ? 0 : sizeOf(one);
    return true;
  });
  let reclaimed = await builder.cache.remove(leaving.flatMap((one) => (one.kind === 'step' ? one.entry : [])));
  const removed = leaving.filter(({ kind }) => kind === 'step');
  for (const one of leaving) {
    if (one.kind !== 'mount' || !(await builder.cacheMounts.remove(one.mount.name))) continue;
    reclaimed += one.mount.sizeBytes;
    removed.push(one);
  }
  builder.events.publish({
    type: 'builder',
    action: 'prune',
    actor: { id: '', attributes: { reclaimed: String(reclaimed) } },
  });
  return { removed, reclaimed };
}

export const sizeOf = (one: Prunable) => (one.kind === 'step' ? one.entry.sizeBytes : one.mount.sizeBytes);
export const usedAt = (one: Prunable) => (one.kind === 'step' ? one.entry.lastUsedAt : one.mount.lastUsedAt);
export const isShared = (one: Prunable) => one.kind === 'step' && one.entry.shared;
export const inUse = (one: Prunable) => (one.kind === 'mount' ? one.mount.inUse : one.entry.inUse);
const typeOf = (one: Prunable) => (one.kind === 'step' ? 'regular' : 'exec.cachemount');
const descriptionOf = (one: Prunable) => (one.kind === 'step' ? one.entry.description : one.mount.id);

/** @throws invalid-parameter */
export function parsePruneFilters(text: string): (one: Prunable) => boolean {
  if (text === '') return () => true;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidParameter(`could not parse filters: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null)
    throw invalidParameter('could not parse filters: expected an object');
  const checks = Object.entries(value).map(([name, given]) => {
    // A list, or, from newer clients, an object whose keys are the values.
    const values = Array.isArray(given) ? given.map(String) : Object.keys(given as object);
    return pruneFilter(name, values);
  });
  return (one) => checks.every((test) => test(one));
}

/** @throws invalid-parameter  no such filter, or a value that cannot be read */
export function pruneFilter(name: string, values: readonly string[]): (one: Prunable) => boolean {
  switch (name) {
    case 'until':
    case 'unused-for': {
      const before = Math.min(...values.map(timeBefore));
      return (one) => usedAt(one) < before;
    }
    case 'id':
      return ({ id }) => values.some((value) => id.startsWith(value) || matches(value, id));
    case 'type':
      return (one) => values.includes(typeOf(one));
    case 'description':
      return (one) => values.some((value) => descriptionOf(one).includes(value));
    case 'inuse':
      return (one) => values.includes(String(inUse(one)));
    case 'shared':
      return (one) => values.length === 0 || values.some((value) => value !== 'false') === isShared(one);
    case 'private':
      return (one) => values.length === 0 || values.some((value) => value !== 'false') !== isShared(one);
    case 'parent':
    case 'parents':
      return (one) => one.kind === 'step' && values.some((value) => one.entry.image.parentId?.includes(value));
    default:
      throw invalidParameter(
        `invalid filter '${name}': use until, id, parent, type, description, inuse, shared or private`,
      );
  }
}

/** `~=` before a value makes it an expression. */
function matches(value: string, text: string): boolean {
  if (!value.startsWith('~=')) return false;
  try {
    return new RegExp(value.slice(2)).test(text);
  } catch (error) {
    throw invalidParameter(`invalid filter value ${value}: ${(error as Error).message}`);
  }
}

/** A duration ago, seconds since the epoch, or a date. */
function timeBefore(text: string): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  if (/^\d{4}-/.test(text) && !Number.isNaN(date)) return date;
  try {
    return Date.now() - durationNs(text) / 1e6;
  } catch {
    throw invalidParameter(`until filter expects a duration (e.g., '24h') or a time, not "${text}"`);
  }
}

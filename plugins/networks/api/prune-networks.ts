import { type EventBus, errorKind, invalidParameter } from '@gantry/sdk';
import type { NetworkRegistry } from '../networks/network-registry';
import { predefinedNames } from '../records/network-record';
import type { Sandboxes } from '../sandbox/sandboxes';
import { type Filters, isUsed, matchesPruneLabels } from './network-filters';

/** Removes networks no container is attached to. @returns their names */
export async function pruneNetworks(
  registry: NetworkRegistry,
  sandboxes: Sandboxes,
  filters: Filters,
  events: EventBus,
): Promise<string[]> {
  const until = parseUntil(filters.get('until'));
  const removed: string[] = [];
  for (const network of registry.list()) {
    if (predefinedNames.has(network.name) || network.configOnly || isUsed(network, sandboxes)) continue;
    if (!matchesPruneLabels(network, filters) || Date.parse(network.createdAt) > until) continue;
    try {
      await registry.remove(network.id);
      removed.push(network.name);
    } catch (error) {
      // Somebody attached to it or removed it in the meantime: then it is not ours to prune.
      if (!['forbidden', 'not-found'].includes(errorKind(error))) throw error;
    }
  }
  events.publish({ type: 'network', action: 'prune', actor: { id: '', attributes: { reclaimed: '0' } } });
  return removed;
}

/** A Go duration before now, seconds since the epoch, or an RFC 3339 time; in milliseconds since the epoch. */
function parseUntil(values: readonly string[] | undefined): number {
  if (values === undefined) return Number.POSITIVE_INFINITY;
  const [text = '', ...more] = values;
  if (more.length > 0) throw invalidParameter('more than one until filter specified');
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const units: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map((part) => part[0]).join('') === text)
    return Date.now() - parts.reduce((sum, part) => sum + Number(part[1]) * units[part[2]!]!, 0);
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw invalidParameter(`failed to parse value as time or duration: "${text}"`);
  return time;
}

import { invalidParameter, parseQueryFilters } from '@gantry/sdk';
import { type NetworkRecord, predefinedNames } from '../records/network-record';
import type { Sandboxes } from '../sandbox/sandboxes';

/** Filter name → wanted values. */
export type Filters = ReadonlyMap<string, readonly string[]>;

const LIST_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];
const PRUNE_FILTERS = ['label', 'label!', 'until'];

/** @throws invalid-parameter not a filter object, or an unknown filter or value */
export function parseListFilters(text: string | null): Filters {
  const filters = parseQueryFilters(text, LIST_FILTERS);
  for (const type of filters.get('type') ?? [])
    if (type !== 'custom' && type !== 'builtin') throw invalidParameter(`invalid filter: 'type'='${type}'`);
  const dangling = filters.get('dangling');
  if (dangling && dangling.length > 1) throw invalidParameter('got more than one value for filter key "dangling"');
  if (dangling && !/^(true|false|1|0)$/.test(dangling[0]!))
    throw invalidParameter(`invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`);
  return filters;
}

export function parsePruneFilters(text: string | null): Filters {
  return parseQueryFilters(text, PRUNE_FILTERS);
}

export function matchesFilters(network: NetworkRecord, sandboxes: Sandboxes, filters: Filters): boolean {
  const any = (name: string, test: (value: string) => boolean) => (filters.get(name) ?? []).some(test);
  const absentOr = (name: string, test: (value: string) => boolean) => !filters.has(name) || any(name, test);
  const predefined = predefinedNames.has(network.name);
  return (
    absentOr('driver', (value) => network.driver === value) &&
    absentOr('id', (value) => matches(network.id, value)) &&
    absentOr('name', (value) => matches(network.name, value)) &&
    absentOr('scope', (value) => network.scope === value) &&
    absentOr('type', (value) => (value === 'builtin') === predefined) &&
    absentOr('dangling', (value) => /^(true|1)$/.test(value) === (!predefined && !isUsed(network, sandboxes))) &&
    (filters.get('label') ?? []).every((value) => hasLabel(network.labels, value))
  );
}

/** Equal, or found by the value as a regular expression. */
function matches(text: string, value: string): boolean {
  if (text === value) return true;
  try {
    return new RegExp(value).test(text);
  } catch {
    return false;
  }
}

/** Whether prune's `label` and `label!` leave the network to be pruned. */
export function matchesPruneLabels(network: NetworkRecord, filters: Filters): boolean {
  return (
    (filters.get('label') ?? []).every((value) => hasLabel(network.labels, value)) &&
    !(filters.get('label!') ?? []).some((value) => hasLabel(network.labels, value))
  );
}

export function isUsed(network: NetworkRecord, sandboxes: Sandboxes): boolean {
  return sandboxes.list().some((sandbox) => sandbox.endpoints.some((endpoint) => endpoint.networkId === network.id));
}

function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const split = wanted.indexOf('=');
  if (split < 0) return Object.hasOwn(labels, wanted);
  return labels[wanted.slice(0, split)] === wanted.slice(split + 1);
}

import { invalidParameter, parseQueryFilters, type VolumeSummary } from '@gantry/sdk';

/** Filter name → wanted values. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** @throws invalid-parameter  not of either form, or a filter that `accepted` does not name */
export const parseFilters: (text: string | null, accepted: readonly string[]) => Filters = parseQueryFilters;

/** @throws invalid-parameter  several values, or one that is neither true nor false */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters.get(name);
  if (values === undefined) return undefined;
  const read = values.map((value) =>
    /^(1|t|true)$/i.test(value) ? true : /^(0|f|false)$/i.test(value) ? false : undefined,
  );
  if (read.includes(undefined) || new Set(read).size > 1)
    throw invalidParameter(`invalid filter '${name}=[${values.join(' ')}]'`);
  return read[0];
}

/**
 * Whether a prune takes volumes that users named too: the filter `all`.
 *
 * @param implied  the client is of a time when all of them went; it may say so, and nothing else
 * @throws invalid-parameter  several values, or one that is neither true nor false
 */
export function pruneAll(filters: Filters, implied: boolean): boolean {
  const values = [...new Set([...(filters.get('all') ?? []), ...(implied ? ['true'] : [])])];
  const [value = 'false'] = values;
  if (values.length > 1)
    throw invalidParameter(`invalid filter 'all=[${values.join(' ')}]': only one value is expected`);
  if (!/^(1|t|true|0|f|false)$/i.test(value))
    throw invalidParameter(`invalid filter 'all': strconv.ParseBool: parsing "${value}": invalid syntax`);
  return /^(1|t)/i.test(value);
}

/** Whether a volume passes `driver`, `name`, `label` and `label!`. */
export function matches(filters: Filters, volume: Pick<VolumeSummary, 'name' | 'driver' | 'labels'>): boolean {
  const drivers = filters.get('driver');
  if (drivers !== undefined && !drivers.includes(volume.driver)) return false;
  const names = filters.get('name');
  if (names !== undefined && !names.some((pattern) => matchesName(pattern, volume.name))) return false;
  const labels = filters.get('label');
  if (labels !== undefined && !hasLabels(labels, volume.labels)) return false;
  const absent = filters.get('label!');
  return absent === undefined || !hasLabels(absent, volume.labels);
}

/** All of `wanted` (`key` or `key=value`) are there. */
function hasLabels(wanted: readonly string[], labels: Readonly<Record<string, string>> | undefined): boolean {
  return wanted.every((entry) => {
    const at = entry.indexOf('=');
    const key = at === -1 ? entry : entry.slice(0, at);
    if (labels === undefined || !Object.hasOwn(labels, key)) return false;
    return at === -1 || labels[key] === entry.slice(at + 1);
  });
}

// A name filter is a regular expression that may match anywhere; one that is none matches only itself.
function matchesName(pattern: string, name: string): boolean {
  if (pattern === name) return true;
  try {
    return new RegExp(pattern).test(name);
  } catch {
    return false;
  }
}

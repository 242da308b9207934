import { invalidParameter } from '../errors';

/** Filter name → wanted values, as `filters` of a request has them. */
export type QueryFilters = ReadonlyMap<string, readonly string[]>;

/**
 * Reads the query parameter `filters`: `{"label":["a=b"]}`, or the older `{"label":{"a=b":true}}`. Names without a
 * value are left out.
 *
 * @param known  names the route takes
 * @throws invalid-parameter  neither of the two forms, or another name; in dockerd's words
 */
export function parseQueryFilters(text: string | null | undefined, known: Iterable<string>): QueryFilters {
  const filters = new Map<string, readonly string[]>();
  if (text === null || text === undefined || text === '') return filters;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw invalidParameter('invalid filter', cause);
  }
  // As for Go, null is an absent map.
  if (parsed === null) return filters;
  if (!isObject(parsed)) throw invalidParameter('invalid filter');
  const names = new Set(known);
  for (const [name, given] of Object.entries(parsed)) {
    const values = isObject(given) ? flagged(given) : listed(given);
    if (!names.has(name)) throw invalidParameter(`invalid filter '${name}'`);
    if (values.length > 0) filters.set(name, values);
  }
  return filters;
}

function flagged(given: Record<string, unknown>): string[] {
  if (!Object.values(given).every((flag) => typeof flag === 'boolean')) throw invalidParameter('invalid filter');
  return Object.keys(given).filter((value) => given[value] === true);
}

function listed(given: unknown): string[] {
  if (given === null) return [];
  if (!Array.isArray(given) || !given.every((value) => typeof value === 'string'))
    throw invalidParameter('invalid filter');
  return given;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

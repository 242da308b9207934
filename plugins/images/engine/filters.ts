import { invalidParameter } from '@gantry/sdk';
import { isObject } from '../store/image-config';

/** Filters of a request: name → wanted values. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * Parses `filters`: `{"label":["a=b"]}`, or the older `{"label":{"a=b":true}}`.
 *
 * @throws invalid-parameter  not JSON, or a filter that is not in `accepted`
 */
export function parseFilters(text: string | null, accepted: readonly string[]): Filters {
  const filters = new Map<string, readonly string[]>();
  if (text === null || text === '') return filters;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidParameter(`invalid filter: ${(error as Error).message}`);
  }
  if (!isObject(value)) throw invalidParameter('invalid filter: expected an object');
  for (const [name, wanted] of Object.entries(value)) {
    if (!accepted.includes(name)) throw invalidParameter(`invalid filter '${name}'`);
    if (Array.isArray(wanted) && wanted.every((item) => typeof item === 'string')) filters.set(name, wanted);
    else if (isObject(wanted)) filters.set(name, Object.keys(wanted));
    else throw invalidParameter(`invalid filter '${name}': expected a list of strings`);
  }
  return filters;
}

/** A filter that is true or false. @throws invalid-parameter */
export function booleanFilter(filters: Filters, name: string): boolean | undefined {
  const values = filters.get(name);
  if (values === undefined || values.length === 0) return undefined;
  const readings = new Set(values.map((value) => readBoolean(name, value)));
  if (readings.size > 1) throw invalidParameter(`invalid filter '${name}=[${values.join(' ')}]'`);
  return [...readings][0];
}

function readBoolean(name: string, value: string): boolean {
  if (['1', 'true'].includes(value.toLowerCase())) return true;
  if (['0', 'false'].includes(value.toLowerCase())) return false;
  throw invalidParameter(`invalid filter '${name}=[${value}]'`);
}

/** `label` and `label!` filters: every wanted label is there (with its value, if one is given), no unwanted one is. */
export function matchLabels(filters: Filters, labels: Readonly<Record<string, string>> | null | undefined): boolean {
  const has = (wanted: string) => {
    const equals = wanted.indexOf('=');
    if (equals < 0) return labels?.[wanted] !== undefined;
    return labels?.[wanted.slice(0, equals)] === wanted.slice(equals + 1);
  };
  return (filters.get('label') ?? []).every(has) && !(filters.get('label!') ?? []).some(has);
}

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** A point in time: RFC 3339, a date, Unix seconds with a fraction, or a duration before now such as `1h30m`. */
export function parseTimestamp(text: string, now: Date): Date {
  if (/^\d+(\.\d+)?$/.test(text)) return new Date(Number(text) * 1000);
  const duration = /^-?(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (duration !== null) {
    let ms = 0;
    for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g))
      ms += Number(amount) * unitMs[unit!]!;
    return new Date(now.getTime() - ms);
  }
  const parsed = new Date(text);
  if (Number.isNaN(parsed.getTime())) throw invalidParameter(`failed to parse value as time or duration: "${text}"`);
  return parsed;
}

/** Query parameters that dockerd reads as booleans: everything but empty, `0`, `no`, `false`, `none` is true. */
export function queryFlag(query: URLSearchParams, name: string, fallback = false): boolean {
  const value = query.get(name);
  if (value === null) return fallback;
  return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
}

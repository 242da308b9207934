import { invalidParameter, parseQueryFilters } from '@gantry/sdk';

/** Filters of a request: name → wanted values. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** @throws invalid-parameter  not of either form, or a filter that is not in `accepted` */
export const parseFilters: (text: string | null, accepted: readonly string[]) => Filters = parseQueryFilters;

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
    if (equals < 0) return Object.hasOwn(labels ?? {}, wanted);
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

import { invalidParameter } from '@gantry/sdk';

/** A query flag as dockerd's forms know it: absent, `0`, `false`, `no`, `none` are false. */
export function queryFlag(query: URLSearchParams, name: string): boolean {
  const value = (query.get(name) ?? '').trim().toLowerCase();
  return !['', '0', 'no', 'false', 'none'].includes(value);
}

/** @throws invalid-parameter  not a whole number */
export function queryInteger(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^-?\d{1,18}$/.test(value)) throw invalidParameter(`invalid value for ${name}: "${value}" is not an integer`);
  return Number(value);
}

/**
 * A parameter that is JSON; undefined when it is absent, empty or null.
 *
 * @throws invalid-parameter  `error reading <what>: …`
 */
export function queryJson<T>(
  query: URLSearchParams,
  name: string,
  what: string,
  check: (value: unknown) => value is T,
): T | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalidParameter(`error reading ${what}: ${(error as Error).message}`);
  }
  if (value === null) return undefined;
  if (!check(value)) throw invalidParameter(`error reading ${what}: unexpected JSON in ${name}`);
  return value;
}

import { invalidParameter } from '../errors';
import { ExactNumber, isInt64 } from '../json';

/**
 * Turns a JSON value of the client into a typed one. Absent and null give the type's zero value, as the Engine
 * API has it; a value of another JSON type is refused with dockerd's words, naming the field.
 */
export interface Decoder<T> {
  /** As Go calls the type. */
  readonly goType: string;
  decode(value: unknown, at: string): T;
}

/** What a decoder gives: `Decoded<typeof document>`. */
export type Decoded<D> = D extends Decoder<infer T> ? T : never;

function scalar<T>(goType: string, zero: T, check: (value: unknown) => value is T): Decoder<T> {
  return {
    goType,
    decode(value, at) {
      if (value === undefined || value === null) return zero;
      if (!check(value)) throw mismatch(value, at, goType);
      return value;
    },
  };
}

/** A string; empty when absent. */
export const text = scalar('string', '', (value): value is string => typeof value === 'string');
/** A boolean; false when absent. */
export const flag = scalar('bool', false, (value): value is boolean => typeof value === 'boolean');
/** A 64-bit integer; 0 when absent. One beyond 2^53 is an `ExactNumber`, which passes for a number. */
export const integer = scalar('int64', 0, (value): value is number => isInt64(value));

/** Null stays null: absent is not zero. */
export function nullable<T>(inner: Decoder<T>): Decoder<T | null> {
  return {
    goType: inner.goType,
    decode: (value, at) => (value === undefined || value === null ? null : inner.decode(value, at)),
  };
}

/** Absent and null stay undefined, so that the field does not show in JSON. */
export function optional<T>(inner: Decoder<T>): Decoder<T | undefined> {
  return {
    goType: inner.goType,
    decode: (value, at) => (value === undefined || value === null ? undefined : inner.decode(value, at)),
  };
}

/** A list; empty when absent. */
export function listOf<T>(item: Decoder<T>): Decoder<T[]> {
  const goType = `[]${item.goType}`;
  return {
    goType,
    decode(value, at) {
      if (value === undefined || value === null) return [];
      if (!Array.isArray(value)) throw mismatch(value, at, goType);
      return value.map((element, index) => item.decode(element, `${at}[${index}]`));
    },
  };
}

/** An object with keys of the client's choice, which are taken as they are; empty when absent. */
export function mapOf<T>(item: Decoder<T>): Decoder<Record<string, T>> {
  const goType = `map[string]${item.goType}`;
  return {
    goType,
    decode(value, at) {
      if (value === undefined || value === null) return {};
      if (!isObject(value)) throw mismatch(value, at, goType);
      return Object.fromEntries(
        Object.entries(value).map(([key, element]) => [key, item.decode(element, `${at}.${key}`)]),
      );
    },
  };
}

/** A string, or a list of strings; clients may send a command either way. */
export const words: Decoder<string[]> = {
  goType: '[]string',
  decode(value, at) {
    if (typeof value === 'string') return [value];
    return listOf(text).decode(value, at);
  },
};

type Shape = Record<string, Decoder<any>>;
type MayBeAbsent<S extends Shape> = { [K in keyof S]: undefined extends Decoded<S[K]> ? K : never }[keyof S];
type Flat<T> = { [K in keyof T]: T[K] };
type StructValue<S extends Shape> = Flat<
  { [K in Exclude<keyof S, MayBeAbsent<S>>]: Decoded<S[K]> } & { [K in MayBeAbsent<S>]?: Decoded<S[K]> }
>;

/** Fields the shape does not know are left out, as dockerd does. Keys match without regard to case. */
export function struct<S extends Shape>(shape: S): Decoder<StructValue<S>> {
  const byLowerCase = new Map(Object.keys(shape).map((key) => [key.toLowerCase(), key]));
  return {
    goType: 'struct',
    decode(value, at) {
      if (value !== undefined && value !== null && !isObject(value)) throw mismatch(value, at, 'struct');
      const given: Record<string, unknown> = {};
      for (const [key, element] of Object.entries(value ?? {})) {
        const known = byLowerCase.get(key.toLowerCase());
        // As in Go: of keys that differ in case the last one counts, and null changes nothing.
        if (known !== undefined && (element !== null || !(known in given))) given[known] = element;
      }
      const out: Record<string, unknown> = {};
      for (const [key, decoder] of Object.entries(shape)) {
        const decoded = decoder.decode(given[key], at === '' ? key : `${at}.${key}`);
        if (decoded !== undefined) out[key] = decoded;
      }
      return out as StructValue<S>;
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

function mismatch(value: unknown, at: string, goType: string) {
  const target = at === '' ? 'value' : `struct field ${at}`;
  return invalidParameter(
    `invalid JSON: json: cannot unmarshal ${kindOf(value, goType)} into Go ${target} of type ${goType}`,
  );
}

/** Go names the number where a number was right and this one was not. */
function kindOf(value: unknown, goType: string): string {
  if (typeof value === 'number' || value instanceof ExactNumber)
    return goType === 'int64' ? `number ${value instanceof ExactNumber ? value.text : value}` : 'number';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

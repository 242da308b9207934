/** One thing wrong with a configuration value. `pointer` is an RFC 6901 JSON Pointer relative to the parsed value. */
export interface ConfigProblem {
  readonly pointer: string;
  readonly message: string;
  /** The nearest known key, for a misspelt one. */
  readonly suggestion?: string;
}

/** A parsed value, or everything that is wrong with it. */
export type ConfigResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: ConfigProblem[] };

/** Parses a section of daemon.json; reports every problem at once and never throws. */
export interface ConfigSchema<T> {
  /** A word for messages: `string`, `integer`. */
  readonly expects: string;
  parse(value: unknown, pointer?: string): ConfigResult<T>;
  /** The value when the key is absent; undefined when it has none. */
  readonly absent?: { readonly value: T };
}

type Shape = Readonly<Record<string, ConfigSchema<any>>>;
type ShapeValue<S extends Shape> = { readonly [K in keyof S]: S[K] extends ConfigSchema<infer T> ? T : never };

const good = <T>(value: T): ConfigResult<T> => ({ ok: true, value });
const bad = <T>(pointer: string, message: string): ConfigResult<T> => ({ ok: false, problems: [{ pointer, message }] });

/** A field that may be absent: `optional(string())`, or `optional(integer(), 1500)` with a default. */
export function optional<T>(schema: ConfigSchema<T>): ConfigSchema<T | undefined>;
export function optional<T>(schema: ConfigSchema<T>, fallback: T): ConfigSchema<T>;
export function optional<T>(schema: ConfigSchema<T>, fallback?: T): ConfigSchema<T | undefined> {
  return { expects: schema.expects, parse: schema.parse, absent: { value: fallback } };
}

/** A string, free or one of a list or of a pattern. */
export function string(options: { pattern?: RegExp; oneOf?: readonly string[] } = {}): ConfigSchema<string> {
  const expects = options.oneOf ? `one of ${options.oneOf.join(', ')}` : 'a string';
  return {
    expects,
    parse(value, pointer = '') {
      if (typeof value !== 'string') return bad(pointer, `expected ${expects}, got ${kindOf(value)}`);
      if (options.oneOf && !options.oneOf.includes(value)) return bad(pointer, `expected ${expects}, got "${value}"`);
      if (options.pattern && !options.pattern.test(value))
        return bad(pointer, `"${value}" does not match ${options.pattern}`);
      return good(value);
    },
  };
}

/** true or false; no words, no numbers. */
export function boolean(): ConfigSchema<boolean> {
  return {
    expects: 'true or false',
    parse: (value, pointer = '') =>
      typeof value === 'boolean' ? good(value) : bad(pointer, `expected true or false, got ${kindOf(value)}`),
  };
}

/** A whole number, within a range when one is given. */
export function integer(range: { min?: number; max?: number } = {}): ConfigSchema<number> {
  return {
    expects: 'an integer',
    parse(value, pointer = '') {
      if (typeof value !== 'number' || !Number.isSafeInteger(value))
        return bad(pointer, `expected an integer, got ${kindOf(value)}`);
      if (range.min !== undefined && value < range.min)
        return bad(pointer, `${value} is below the minimum of ${range.min}`);
      if (range.max !== undefined && value > range.max)
        return bad(pointer, `${value} is above the maximum of ${range.max}`);
      return good(value);
    },
  };
}

/** An array whose items all have one schema. */
export function arrayOf<T>(item: ConfigSchema<T>): ConfigSchema<readonly T[]> {
  return {
    expects: 'an array',
    parse(value, pointer = '') {
      if (!Array.isArray(value)) return bad(pointer, `expected an array, got ${kindOf(value)}`);
      const problems: ConfigProblem[] = [];
      const items: T[] = [];
      value.forEach((element, index) => {
        const result = item.parse(element, `${pointer}/${index}`);
        if (result.ok) items.push(result.value);
        else problems.push(...result.problems);
      });
      return problems.length > 0 ? { ok: false, problems } : good(items);
    },
  };
}

/** An object with free keys whose values all have one schema. */
export function mapOf<T>(item: ConfigSchema<T>): ConfigSchema<Readonly<Record<string, T>>> {
  return {
    expects: 'an object',
    parse(value, pointer = '') {
      if (!isPlainObject(value)) return bad(pointer, `expected an object, got ${kindOf(value)}`);
      const problems: ConfigProblem[] = [];
      const out: Record<string, T> = {};
      for (const [key, element] of Object.entries(value)) {
        const result = item.parse(element, `${pointer}/${escapePointer(key)}`);
        if (result.ok) out[key] = result.value;
        else problems.push(...result.problems);
      }
      return problems.length > 0 ? { ok: false, problems } : good(out);
    },
  };
}

/** An object with exactly these keys. Unknown keys are refused with the nearest known one. */
export function object<S extends Shape>(shape: S): ConfigSchema<ShapeValue<S>> {
  return {
    expects: 'an object',
    parse(value, pointer = '') {
      if (!isPlainObject(value)) return bad(pointer, `expected an object, got ${kindOf(value)}`);
      const problems: ConfigProblem[] = [];
      const out: Record<string, unknown> = {};
      for (const key of Object.keys(value)) {
        if (Object.hasOwn(shape, key)) continue;
        const suggestion = nearestKey(key, Object.keys(shape));
        problems.push({
          pointer: `${pointer}/${escapePointer(key)}`,
          message: `unknown key "${key}"${suggestion ? `; did you mean "${suggestion}"?` : ''}`,
          suggestion,
        });
      }
      for (const [key, schema] of Object.entries(shape)) {
        if (!Object.hasOwn(value, key)) {
          if (schema.absent) out[key] = schema.absent.value;
          else
            problems.push({
              pointer: `${pointer}/${escapePointer(key)}`,
              message: `"${key}" is missing, expected ${schema.expects}`,
            });
          continue;
        }
        const result = schema.parse(value[key], `${pointer}/${escapePointer(key)}`);
        if (result.ok) out[key] = result.value;
        else problems.push(...result.problems);
      }
      return problems.length > 0 ? { ok: false, problems } : good(out as ShapeValue<S>);
    },
  };
}

/**
 * The known key nearest to what was written.
 *
 * @param farthest edit distance; default: a third of the known key's length
 */
export function nearestKey(key: string, known: readonly string[], farthest?: number): string | undefined {
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const distance = editDistance(key.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best !== undefined && bestDistance <= (farthest ?? Math.max(1, Math.floor(best.length / 3)))
    ? best
    : undefined;
}

/** A key as a token of a JSON Pointer (RFC 6901). */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Insertions, deletions, replacements, and swaps of neighbours: the commonest slip of the hand. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      let cost = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      next[j] = cost;
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'string') return `the string "${value}"`;
  return typeof value === 'boolean' ? String(value) : `an ${typeof value}`;
}

import { invalidParameter, nearestKey } from '@gantry/sdk';

/** How a flag of an instruction is written. */
export type FlagKind = 'text' | 'boolean' | 'list';

/** Flags an instruction was given. */
export interface Flags {
  text(name: string): string | undefined;
  boolean(name: string): boolean;
  list(name: string): readonly string[];
}

/** Takes `--flag` words off the front of an instruction's arguments; their quotes and escapes are resolved. */
export function takeFlags(text: string, escapeChar: string): { flags: readonly string[]; rest: string } {
  const flags: string[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++;
    if (!text.startsWith('--', at)) break;
    let word = '';
    let quote = '';
    for (; at < text.length; at++) {
      const char = text[at]!;
      if (quote === '' && /\s/.test(char)) break;
      if (char === escapeChar && quote !== "'" && at + 1 < text.length) word += text[++at];
      else if (quote === '' && (char === '"' || char === "'")) quote = char;
      else if (char === quote) quote = '';
      else word += char;
    }
    if (word === '--') break;
    flags.push(word);
  }
  return { flags, rest: text.slice(at) };
}

/**
 * Reads the flags an instruction knows.
 *
 * @throws invalid-parameter  unknown, given twice, without a value, or not a boolean
 */
export function readFlags(words: readonly string[], known: Readonly<Record<string, FlagKind>>): Flags {
  const values = new Map<string, string[]>();
  for (const word of words) {
    const equals = word.indexOf('=');
    const name = word.slice(2, equals < 0 ? undefined : equals);
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    if (kind === undefined) {
      const near = nearestKey(name, Object.keys(known));
      throw invalidParameter(`unknown flag: --${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`);
    }
    const before = values.get(name);
    if (before !== undefined && kind !== 'list') throw invalidParameter(`duplicate flag specified: --${name}`);
    if (kind === 'boolean' && value !== undefined && value !== 'true' && value !== 'false')
      throw invalidParameter(`expecting boolean value for flag --${name}, not: ${value}`);
    if (kind !== 'boolean' && value === undefined) throw invalidParameter(`missing a value on flag: --${name}`);
    values.set(name, [...(before ?? []), value ?? 'true']);
  }
  return {
    text: (name) => values.get(name)?.[0],
    boolean: (name) => values.get(name)?.[0] === 'true',
    list: (name) => values.get(name) ?? [],
  };
}

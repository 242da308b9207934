import type { ConfigSchema } from '@gantry/sdk';

/** How a key is given on the command line. */
export interface KeyFlag {
  /** Long name without dashes. Differs from the key where dockerd's does: key `labels`, flag `label`. */
  readonly name: string;
  readonly short?: string;
  /** `switch`: `--x` or `--x=false`; `one`: the last one wins; `many`: all are kept. */
  readonly takes: 'switch' | 'one' | 'many';
  /** Word shown by `--help` for the value. */
  readonly placeholder?: string;
  /** Texts that mean the key's example, where they cannot be made from it word by word. */
  readonly example?: readonly string[];
  /**
   * The flag's texts as the value daemon.json would hold; the key's schema judges it afterwards.
   * @throws Error  the text cannot be read; the message says why
   */
  toJson(texts: readonly string[]): unknown;
}

/** A setting that daemon.json and the command line know. */
export interface Key<T> {
  readonly schema: ConfigSchema<T>;
  readonly fallback: T;
  /** Shown by `--help` instead of the fallback. */
  readonly fallbackText?: string;
  readonly flag?: KeyFlag;
  /** `live`: a reload changes it; `restart`: a reload names it as needing a restart. */
  readonly reload: 'live' | 'restart';
  /** File and flags may both give it: they are merged instead of being a conflict. */
  readonly merges?: boolean;
  /** The key is taken for compatibility and changes nothing: why, for a warning when somebody gives it. */
  readonly noEffect?: string;
  /** A sensible value as daemon.json holds it, other than the fallback: shown to who gave a wrong one, and tested. */
  readonly example: unknown;
  readonly about: string;
}

export type KeyGroup = Readonly<Record<string, Key<any>>>;
export type ValuesOf<G extends KeyGroup> = { readonly [K in keyof G]: G[K] extends Key<infer T> ? T : never };

export const key = <T>(spec: Key<T>): Key<T> => spec;

const booleans: Readonly<Record<string, boolean>> = {
  '1': true,
  t: true,
  T: true,
  true: true,
  TRUE: true,
  True: true,
  '0': false,
  f: false,
  F: false,
  false: false,
  FALSE: false,
  False: false,
};

const last = (texts: readonly string[]) => texts[texts.length - 1] ?? '';

export const flagOf = {
  switch: (name: string, short?: string): KeyFlag => ({
    name,
    short,
    takes: 'switch',
    toJson: (texts) => {
      const value = booleans[last(texts)];
      if (value === undefined) throw new Error(`"${last(texts)}" is neither true nor false`);
      return value;
    },
  }),
  string: (name: string, short?: string, placeholder = 'string'): KeyFlag => ({
    name,
    short,
    takes: 'one',
    placeholder,
    toJson: last,
  }),
  integer: (name: string): KeyFlag => ({
    name,
    takes: 'one',
    placeholder: 'int',
    toJson: (texts) => {
      if (!/^[+-]?\d+$/.test(last(texts))) throw new Error(`"${last(texts)}" is not an integer`);
      return Number(last(texts));
    },
  }),
  list: (name: string, short?: string, placeholder = 'list'): KeyFlag => ({
    name,
    short,
    takes: 'many',
    placeholder,
    toJson: (texts) => texts,
  }),
  /** `--log-opt max-size=10m` twice or more. */
  map: (name: string): KeyFlag => ({
    name,
    takes: 'many',
    placeholder: 'key=value',
    toJson: (texts) =>
      Object.fromEntries(
        texts.map((text) => {
          const at = text.indexOf('=');
          if (at <= 0) throw new Error(`"${text}" is not of the form key=value`);
          return [text.slice(0, at), text.slice(at + 1)];
        }),
      ),
  }),
};

import { nearestKey } from '@gantry/sdk';
import { expandWord, type Variables } from '../dockerfile/expand';

/** What came of a word with variables in it. */
export interface Expanded {
  /** Undefined = the word is malformed, which the build itself says. */
  readonly text: string | undefined;
  readonly known: ReadonlySet<string>;
  readonly unknown: ReadonlySet<string>;
}

/** Expands a word and notes which variables it asked for. */
export function expandWatched(word: string, variables: Variables, escapeChar: string): Expanded {
  const known = new Set<string>();
  const unknown = new Set<string>();
  const watched: Variables = (name) => {
    const value = variables(name);
    (value === undefined ? unknown : known).add(name);
    return value;
  };
  try {
    return { text: expandWord(word, watched, escapeChar), known, unknown };
  } catch {
    return { text: undefined, known, unknown };
  }
}

/** What somebody who wrote `name` probably meant, told as ` (did you mean …?)`. */
export function suggestion(name: string, options: Iterable<string>, prefix: string): string {
  const near = nearestKey(name, [...options], 2);
  return near === undefined || near.toLowerCase() === name.toLowerCase() ? '' : ` (did you mean ${prefix}${near}?)`;
}

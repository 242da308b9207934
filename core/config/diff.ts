import { isDeepStrictEqual } from 'node:util';
import { type ConfigValues, knownKeys } from './known-keys';

/** What a new configuration would change, by key. */
export interface ConfigDiff {
  readonly live: readonly (keyof ConfigValues)[];
  readonly needRestart: readonly (keyof ConfigValues)[];
}

export function diffConfig(before: ConfigValues, after: ConfigValues): ConfigDiff {
  const changed = (Object.keys(knownKeys) as (keyof ConfigValues)[]).filter(
    (name) => !isDeepStrictEqual(before[name], after[name]),
  );
  return {
    live: changed.filter((name) => knownKeys[name]?.reload === 'live'),
    needRestart: changed.filter((name) => knownKeys[name]?.reload === 'restart'),
  };
}

import type { Key, ValuesOf } from './key';
import { buildingKeys } from './keys/building';
import { compatibilityKeys } from './keys/compatibility';
import { containerKeys } from './keys/containers';
import { imageKeys } from './keys/images';
import { listenerKeys } from './keys/listeners';
import { loggingKeys } from './keys/logging';
import { networkingKeys } from './keys/networking';
import { pluginKeys } from './keys/plugins';
import { processKeys } from './keys/process';

/** Every key by group; the order is that of `--help`. */
export const keyGroups = {
  Daemon: processKeys,
  Sockets: listenerKeys,
  Plugins: pluginKeys,
  Containers: containerKeys,
  Logging: loggingKeys,
  Networking: networkingKeys,
  Images: imageKeys,
  Building: buildingKeys,
  Compatibility: compatibilityKeys,
} as const;

const all = {
  ...processKeys,
  ...listenerKeys,
  ...pluginKeys,
  ...containerKeys,
  ...loggingKeys,
  ...networkingKeys,
  ...imageKeys,
  ...buildingKeys,
  ...compatibilityKeys,
};

/** Values of all keys, by their names in daemon.json. */
export type ConfigValues = ValuesOf<typeof all>;

export const knownKeys: Readonly<Record<string, Key<any>>> = all;

/** The key that a flag sets. */
export const keyByFlag: ReadonlyMap<string, string> = new Map(
  Object.entries(knownKeys).flatMap(([name, spec]) => (spec.flag ? [[spec.flag.name, name] as const] : [])),
);

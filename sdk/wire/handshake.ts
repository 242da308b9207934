import { systemError } from '../errors';
import { field } from './fields';

/** Kinds of plugin as `/Plugin.Activate` names them, compared with exact case (P-ACT-2). */
export const pluginKinds = [
  'VolumeDriver',
  'NetworkDriver',
  'IpamDriver',
  'LogDriver',
  'MetricsCollector',
  'authz',
  'secretprovider',
] as const;

/** One of the kinds a plugin may implement. */
export type PluginKind = (typeof pluginKinds)[number];

/** Empty request body (P-ACT-1). */
export const activateMethod = 'Plugin.Activate';

/** The answer to the handshake. */
export interface ActivateAnswer {
  readonly Implements: readonly string[];
}

/** @throws system  the answer names no kinds */
export function decodeActivate(body: unknown, plugin: string): { implements: string[] } {
  const kinds = field(body, 'Implements');
  if (!Array.isArray(kinds) || !kinds.every((kind) => typeof kind === 'string'))
    throw systemError(
      `plugin "${plugin}": the answer to ${activateMethod} has no list "Implements", such as {"Implements": ["VolumeDriver"]}`,
    );
  return { implements: kinds };
}

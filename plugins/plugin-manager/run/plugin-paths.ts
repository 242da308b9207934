import { join, posix } from 'node:path';
import type { PluginConfig } from '../config/plugin-config';

/** Where the parts of a running plugin are on the host. */
export interface PluginPaths {
  /** Bound at `/run/docker/plugins` in the plugin: its socket is in here. */
  readonly sockets: string;
  readonly socket: string;
  /** Bound at `/run/docker/logging`. */
  readonly logs: string;
  /** Below the data root: what the plugin mounts in here the host sees (P-PROP-1). */
  readonly propagated: string;
}

/** Where a plugin sees its socket folder, and the FIFOs of logs. */
export const pluginSockets = '/run/docker/plugins';
export const pluginLogs = '/run/docker/logging';

/** @param folder `<data root>/plugins/<id>` */
export function pluginPaths(execRoot: string, folder: string, id: string, config: PluginConfig): PluginPaths {
  const sockets = join(execRoot, 'plugins', id);
  return {
    sockets,
    socket: join(sockets, config.Interface.Socket),
    logs: join(execRoot, 'plugin-logs', id),
    propagated: join(folder, 'propagated-mount'),
  };
}

/** The place on the host of a path as the plugin sees it (P-PROP-2). */
export function hostPath(path: string, root: string, propagated: string, { PropagatedMount }: PluginConfig): string {
  // Starts anew at the root, so that ".." leads nowhere.
  const inside = posix.normalize(posix.join('/', path));
  const mount = PropagatedMount === '' ? undefined : posix.normalize(PropagatedMount).replace(/\/$/, '');
  if (mount !== undefined && (inside === mount || inside.startsWith(`${mount}/`)))
    return posix.join(propagated, inside.slice(mount.length));
  return posix.join(root, inside);
}

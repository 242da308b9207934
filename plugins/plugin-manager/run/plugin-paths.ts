import { readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { invalidParameter } from '@gantry/sdk';
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

/** As many links as the kernel follows in one path. @see path_resolution(7) */
const mostLinks = 40;

/**
 * The place on the host of a path as the plugin sees it (P-PROP-2), without symbolic links: they lead where they lead
 * for the plugin, which its root does not let out, nor into somebody else's propagated mount.
 *
 * @throws invalid-parameter  its links lead in a circle
 */
export async function hostPath(path: string, root: string, propagated: string, config: PluginConfig): Promise<string> {
  let links = 0;
  let seen = '/';
  const rest = namesIn(path);
  while (rest.length > 0) {
    const name = rest.shift()!;
    // At the root ".." leads nowhere.
    const next = posix.join(seen, name);
    const target = name === '..' ? undefined : await linkAt(placeOf(next, root, propagated, config));
    if (target === undefined) {
      seen = next;
      continue;
    }
    if (++links > mostLinks) throw invalidParameter(`${path}: the plugin has too many symbolic links on this path`);
    if (target.startsWith('/')) seen = '/';
    rest.unshift(...namesIn(target));
  }
  return placeOf(seen, root, propagated, config);
}

const namesIn = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

/** Where a symbolic link leads; undefined when there is none. */
async function linkAt(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch {
    return undefined;
  }
}

function placeOf(inside: string, root: string, propagated: string, { PropagatedMount }: PluginConfig): string {
  const mount = PropagatedMount === '' ? undefined : posix.normalize(PropagatedMount).replace(/\/$/, '');
  if (mount !== undefined && (inside === mount || inside.startsWith(`${mount}/`)))
    return posix.join(propagated, inside.slice(mount.length));
  return posix.join(root, inside);
}

import { invalidParameter } from '@gantry/sdk';
import type { PlannedMount } from './mounts';

const defaultPropagation = 'rprivate';
const followsHost = ['rslave', 'rshared'];

/** Whether a path is the daemon's data root, lies in it or holds it. */
export function isAbout(path: string, dataRoot: string): boolean {
  const folder = (of: string) => (of.endsWith('/') ? of : `${of}/`);
  return folder(path).startsWith(folder(dataRoot)) || folder(dataRoot).startsWith(folder(path));
}

/**
 * Gives a bind its propagation where the user named none. A container that sees the data root must let go of mounts
 * as the daemon does: private copies of them would keep file systems busy for as long as it runs.
 *
 * @throws invalid-parameter  another propagation was asked for
 */
export function withPropagation(mount: PlannedMount, dataRoot: string): PlannedMount {
  if (mount.type !== 'bind') return mount;
  const { source, propagation } = mount;
  if (!isAbout(source, dataRoot)) return { ...mount, propagation: propagation || defaultPropagation };
  if (propagation !== '' && !followsHost.includes(propagation))
    throw invalidParameter(
      `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "${dataRoot}", bind mount source: "${source}", propagation: "${propagation}"`,
    );
  return { ...mount, propagation: propagation || 'rslave' };
}

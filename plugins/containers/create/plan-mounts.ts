import { invalidParameter } from '@gantry/sdk';
import type { ContainerConfig, HostConfig } from '../config/container-config';
import type { Engine } from '../engine';
import { withPropagation } from './daemon-root';
import {
  anonymousVolume,
  newMountId,
  type PlannedMount,
  parseBind,
  parseMount,
  parseTmpfs,
  parseVolumesFrom,
} from './mounts';

/**
 * All mounts of a new container, one per destination: those of other containers first, then binds, mounts, tmpfs,
 * and an anonymous volume for each path of the image that nothing else covers.
 *
 * @throws invalid-parameter  a bad specification, two for one destination, or a container of VolumesFrom that is not there
 */
export async function planMounts(
  config: ContainerConfig,
  host: HostConfig,
  engine: Pick<Engine, 'index' | 'settings'>,
  readOnlyRecursive = true,
): Promise<PlannedMount[]> {
  const byDestination = new Map<string, PlannedMount>();
  for (const spec of host.VolumesFrom ?? []) {
    const { container, readOnly } = parseVolumesFrom(spec);
    const other = engine.index.find(container);
    // Not 404: clients would take that for a missing image, and pull it.
    if (other === undefined)
      throw invalidParameter(container === '' ? 'invalid name or ID supplied: ""' : `No such container: ${container}`);
    for (const mount of other.record.mounts)
      if (mount.type !== 'tmpfs')
        byDestination.set(mount.destination, {
          ...mount,
          readWrite: mount.readWrite && readOnly !== true,
          mode: '',
          inherited: true,
          copyUp: false,
          anonymous: false,
          mountId: newMountId(),
          volumeOptions: {},
          volumeLabels: {},
        });
  }
  const own = new Set<string>();
  const add = (planned: PlannedMount, target = planned.destination) => {
    const mount = withPropagation(planned, engine.settings.dataRoot);
    if (own.has(mount.destination)) throw invalidParameter(`Duplicate mount point: ${target}`);
    own.add(mount.destination);
    byDestination.set(mount.destination, mount);
  };
  for (const spec of host.Binds ?? []) {
    const mount = parseBind(spec, host.VolumeDriver);
    add(readOnlyRecursive ? mount : { ...mount, recursiveReadOnly: 'never' });
  }
  const named = new Set(own);
  for (const request of host.Mounts ?? []) add(await parseMount(request), request.Target);
  for (const [destination, options] of Object.entries(host.Tmpfs ?? {})) {
    const mount = parseTmpfs(destination, options);
    if (named.has(mount.destination)) throw invalidParameter(`Duplicate mount point: ${mount.destination}`);
    // It lies over what Mounts has there: compose files say both.
    byDestination.set(mount.destination, mount);
  }
  for (const destination of Object.keys(config.Volumes ?? {})) {
    const volume = anonymousVolume(destination, host.VolumeDriver);
    if (!byDestination.has(volume.destination)) byDestination.set(volume.destination, volume);
  }
  return [...byDestination.values()];
}

import type { CleanupStack } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { MountPoint } from '../records/container-record';
import type { Container } from './container';

/** Mounts the volumes and images of a container. @returns mount id → host path */
export async function mountVolumes(
  container: Container,
  engine: Engine,
  undo: CleanupStack,
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  for (const point of container.record.mounts) {
    if (point.type === 'image') {
      const rootFilesystem = await engine.images.openRootFilesystem(point.mountId);
      undo.push(() => rootFilesystem.unmount());
      paths.set(point.mountId, await rootFilesystem.mount());
    }
    if (point.type !== 'volume') continue;
    undo.push(() => unmountVolume(container, point, engine));
    const path = await engine.volumes.mount(point.name, point.mountId, signal);
    paths.set(point.mountId, path);
    if (path !== point.source) showSource(container, point, path);
    tellVolumeMounted(container, point, engine);
  }
  return paths;
}

/** A driver may know the path of a volume only once it is mounted. */
function showSource({ record }: Container, { mountId }: MountPoint, source: string): void {
  record.mounts = record.mounts.map((point) => (point.mountId === mountId ? { ...point, source } : point));
}

/** Gives one volume of a container back to its driver. */
export async function unmountVolume(
  container: Container,
  point: MountPoint,
  engine: Pick<Engine, 'volumes' | 'events'>,
): Promise<void> {
  await engine.volumes.unmount(point.name, point.mountId);
  tellVolumeUnmounted(container, point, engine);
}

export function tellVolumeMounted(container: Container, point: MountPoint, engine: Pick<Engine, 'events'>): void {
  publishVolumeEvent(engine, 'mount', container, point, {
    destination: point.destination,
    'read/write': String(point.readWrite),
    propagation: point.propagation,
  });
}

export function tellVolumeUnmounted(container: Container, point: MountPoint, engine: Pick<Engine, 'events'>): void {
  publishVolumeEvent(engine, 'unmount', container, point, {});
}

function publishVolumeEvent(
  engine: Pick<Engine, 'events'>,
  action: 'mount' | 'unmount',
  container: Container,
  point: MountPoint,
  attributes: Record<string, string>,
): void {
  engine.events.publish({
    type: 'volume',
    action,
    actor: { id: point.name, attributes: { container: container.id, driver: point.driver, ...attributes } },
  });
}

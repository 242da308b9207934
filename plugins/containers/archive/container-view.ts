import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CleanupStack, conflict } from '@gantry/sdk';
import { isDirectoryOpen, openInside } from '@gantry/sdk/linux/open-inside';
import type { Engine } from '../engine';
import type { MountPoint } from '../records/container-record';
import type { Container } from '../run/container';
import { tellVolumeMounted, tellVolumeUnmounted } from '../run/container-volumes';
import { isAlive } from '../run/state';
import { pathInRoot } from '../spec/path-in-root';
import type { ArchiveBind, ArchiveJob } from './archive-job';

/** Where a container's files are. */
export type ContainerView = Pick<ArchiveJob, 'root' | 'binds'> & { close(): Promise<void> };

/** The file system as the container sees it: that of its first process, or its layers with the volumes in place. */
export async function openView(container: Container, layersOnly: boolean, engine: Engine): Promise<ContainerView> {
  if (container.state.status === 'removing' || container.state.status === 'dead')
    throw conflict(`container ${container.id} is being removed`);
  if (isAlive(container.state) && !layersOnly)
    return { root: `/proc/${container.state.pid}/root`, binds: [], close: () => Promise.resolve() };
  return engine.locks.run(container.id, async () => {
    const undo = new CleanupStack();
    try {
      const rootFilesystem = await engine.images.openRootFilesystem(container.id);
      container.openViews++;
      undo.push(async () => {
        container.openViews--;
        if (container.openViews === 0 && !isAlive(container.state)) await rootFilesystem.unmount();
      });
      const root = await rootFilesystem.mount();
      const binds: ArchiveBind[] = [];
      for (const point of container.record.mounts) {
        const source = layersOnly ? undefined : await openSource(container, point, engine, undo);
        if (source === undefined) continue;
        const isDirectory = await isDirectoryAt(source, point.subpath);
        if (isDirectory === undefined) continue;
        const target = await pathInRoot(root, point.destination);
        await makeMountPoint(target, isDirectory);
        const destination = target.slice(root.length);
        binds.push({ source, subpath: point.subpath, destination, readWrite: point.readWrite });
      }
      return {
        root,
        binds,
        // Not in the middle of a start, which needs the file system where it is.
        close: () =>
          engine.locks.run(container.id, async () => {
            for (const failure of await undo.runAll())
              engine.log.warn('closing the view of a container failed', { id: container.id, error: String(failure) });
          }),
      };
    } catch (error) {
      await undo.runAll();
      throw error;
    }
  });
}

/** Host path of what is mounted at a point, for a use of its own beside the container's runs. */
async function openSource(
  container: Container,
  point: MountPoint,
  engine: Engine,
  undo: CleanupStack,
): Promise<string | undefined> {
  switch (point.type) {
    case 'tmpfs':
      return undefined;
    case 'bind':
      return point.source;
    case 'image': {
      const files = await engine.images.openRootFilesystem(point.mountId);
      undo.push(async () => {
        // This view itself is still counted.
        if (container.openViews === 1 && !isAlive(container.state)) await files.unmount();
      });
      return files.mount();
    }
    case 'volume': {
      const useId = randomBytes(32).toString('hex');
      const path = await engine.volumes.mount(point.name, useId);
      tellVolumeMounted(container, point, engine);
      undo.push(async () => {
        await engine.volumes.unmount(point.name, useId);
        tellVolumeUnmounted(container, point, engine);
      });
      return path;
    }
  }
}

/** Undefined when there is nothing. */
async function isDirectoryAt(source: string, subpath: string): Promise<boolean | undefined> {
  if (subpath === '') return (await stat(source).catch(() => undefined))?.isDirectory();
  try {
    const descriptor = openInside(source, subpath);
    try {
      return isDirectoryOpen(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}

async function makeMountPoint(target: string, isDirectory: boolean): Promise<void> {
  if (isDirectory) await mkdir(target, { recursive: true, mode: 0o755 });
  else {
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, '', { flag: 'a' });
  }
}

import type { SnapshotterDriver } from '@gantry/sdk';
import { VfsSnapshotter } from './vfs-snapshotter';

/** Containers as plain copies of their images. */
export const vfsDriver: SnapshotterDriver = {
  open: (folder, log, options) => VfsSnapshotter.open(folder, log, options),
};

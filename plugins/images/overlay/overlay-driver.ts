import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type SnapshotterDriver, systemError } from '@gantry/sdk';
import { OverlaySnapshotter } from './overlay-snapshotter';

const probeTimeoutMs = 5_000;

/** Layers stacked by overlayfs. */
export const overlayDriver: SnapshotterDriver = {
  async open(folder, log, options) {
    await assertOverlay();
    return OverlaySnapshotter.open(folder, log, options);
  },
};

async function assertOverlay(): Promise<void> {
  if (await kernelHasOverlay()) return;
  await promisify(execFile)('modprobe', ['overlay'], { timeout: probeTimeoutMs }).catch(() => {});
  if (!(await kernelHasOverlay()))
    throw systemError(
      'storage driver overlay2: this kernel has no overlayfs; load the module "overlay", or choose storage-driver vfs',
    );
}

async function kernelHasOverlay(): Promise<boolean> {
  return (await readFile('/proc/filesystems', 'utf8')).split('\n').includes('nodev\toverlay');
}

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { invalidParameter, systemError } from '@gantry/sdk';

const probeTimeoutMs = 5_000;

/**
 * Makes sure that layers can be kept the way the settings say.
 *
 * @throws invalid-parameter  another driver than overlay2 is asked for
 * @throws system  the kernel has no overlayfs
 */
export async function assertStorageDriver(wanted: string): Promise<void> {
  if (wanted && wanted !== 'overlay2')
    throw invalidParameter(`storage-driver: "${wanted}" is not available; the images plugin provides overlay2`);
  if (await kernelHasOverlay()) return;
  await promisify(execFile)('modprobe', ['overlay'], { timeout: probeTimeoutMs }).catch(() => {});
  if (!(await kernelHasOverlay()))
    throw systemError('storage driver overlay2: this kernel has no overlayfs; load the module "overlay"');
}

async function kernelHasOverlay(): Promise<boolean> {
  return (await readFile('/proc/filesystems', 'utf8')).split('\n').includes('nodev\toverlay');
}

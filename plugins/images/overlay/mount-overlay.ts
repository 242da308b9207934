import { closeSync, constants, openSync } from 'node:fs';
import { systemError } from '@gantry/sdk';
import { mount } from '@gantry/sdk/linux/mount';

export interface OverlayMount {
  /** Absolute paths, uppermost first. */
  readonly lower: readonly string[];
  /** Folder that holds the short links, and the links of `lower` in it, in the same order. */
  readonly linkFolder: string;
  readonly links: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly target: string;
}

// The kernel copies mount data into one page.
const maximumDataBytes = 4095;
// What dockerd assumes too: layers must stay plain directories, comparable with a walk.
const fixedOptions = 'index=off,metacopy=off,redirect_dir=off';

/** @throws system  the kernel refused, with its errno */
export function mountOverlay(request: OverlayMount): void {
  const rest = `upperdir=${escaped(request.upper)},workdir=${escaped(request.work)},${fixedOptions}`;
  const plain = `lowerdir=${request.lower.map(escaped).join(':')},${rest}`;
  if (fits(plain)) {
    mountData(plain, request.target);
    return;
  }
  const linked = (folder: string) => `lowerdir=${request.links.map((link) => `${folder}/${link}`).join(':')},${rest}`;
  const byLinks = linked(escaped(request.linkFolder));
  if (fits(byLinks)) {
    mountData(byLinks, request.target);
    return;
  }
  // The shortest absolute name of a folder is an open descriptor.
  const fd = openSync(request.linkFolder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const byDescriptor = linked(`/proc/self/fd/${fd}`);
    if (!fits(byDescriptor))
      throw systemError(`cannot mount ${request.lower.length} layers: the mount options do not fit into a page`);
    mountData(byDescriptor, request.target);
  } finally {
    closeSync(fd);
  }
}

const fits = (data: string) => Buffer.byteLength(data) <= maximumDataBytes;

function mountData(data: string, target: string): void {
  try {
    mount('overlay', target, 'overlay', 0, data);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENODEV')
      throw systemError('cannot mount overlay: this kernel has no overlayfs (modprobe overlay)', error);
    throw systemError(`cannot mount overlay on ${target}: ${(error as Error).message}`, error);
  }
}

/** Commas end an option, colons a layer. */
function escaped(path: string): string {
  return path.replace(/[\\,:]/g, '\\$&');
}

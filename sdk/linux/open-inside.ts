import { closeSync, fstatSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { errno, libc, systemCallError } from './libc';

const syscall4 = libc.func('long syscall(long number, long directory, const char *path, const void *how, size_t size)');

/** One number on every architecture. @see openat2(2) */
const openat2 = 437;
const O_DIRECTORY = 0o200000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;

/**
 * Opens a path as a process chrooted to `root` would see it, in one step of the kernel's: no symbolic link leads out,
 * also when somebody exchanges directories and links meanwhile. Needs Linux 5.6.
 *
 * @returns a descriptor that only names the file (O_PATH); `/proc/self/fd/<it>` can be mounted. The caller closes it.
 * @throws ENOENT, ENOTDIR, ELOOP, …
 */
export function openInside(root: string, path: string): number {
  const directory = openSync(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  try {
    const how = howToOpen();
    // Another thread renaming something at the wrong moment: the kernel could not be sure and asks to try again.
    for (let attempt = 0; ; attempt++) {
      const descriptor = Number(syscall4(openat2, directory, path, how, how.length));
      if (descriptor >= 0) return descriptor;
      const error = systemCallError('openat2', errno(), `${path} in ${root}`);
      if (error.code !== 'EAGAIN' || attempt === 100) throw error;
    }
  } finally {
    closeSync(directory);
  }
}

/**
 * As `openInside`, while this thread does something else.
 *
 * @returns undefined when that is not possible, for whatever reason
 */
export async function tryOpenInside(root: string, path: string): Promise<number | undefined> {
  const directory = await open(root, O_PATH | O_DIRECTORY | O_CLOEXEC).catch(() => undefined);
  if (directory === undefined) return undefined;
  try {
    const how = howToOpen();
    return await new Promise((resolve) => {
      syscall4.async(openat2, directory.fd, path, how, how.length, (error: Error | null, result: number | bigint) => {
        resolve(error === null && Number(result) >= 0 ? Number(result) : undefined);
      });
    });
  } finally {
    await directory.close();
  }
}

function howToOpen(): Buffer {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(O_PATH | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16);
  return how;
}

/** Whether the opened file is a directory. */
export const isDirectoryOpen = (descriptor: number): boolean => fstatSync(descriptor).isDirectory();

import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { errno, libc, systemCallError } from './libc';

const allocateCall = libc.func('int posix_fallocate(int fd, long offset, long length)');
const mapCall = libc.func('void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset)');
const unmapCall = libc.func('int munmap(void *address, size_t length)');

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
/** What mmap answers instead of an address when it fails: -1. */
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Memory that is a file: what was stored in it is there for the next process, however this one ends. */
export interface SharedMemory {
  /** Nobody may look at it, or at any part of it, after `unmap`: that would end the process. */
  readonly bytes: Buffer;
  /** Repeatable. */
  unmap(): void;
}

/**
 * Makes a file of zeros with all its blocks, so that storing in it cannot fail later. @see posix_fallocate(3)
 *
 * @throws ENOSPC, or EEXIST for a path that is there
 */
export function allocateFile(path: string, bytes: number, mode = 0o600): void {
  const fd = openSync(path, 'wx', mode);
  try {
    const code = allocateCall(fd, 0, bytes) as number;
    if (code !== 0) throw systemCallError('posix_fallocate', code, path);
  } finally {
    closeSync(fd);
  }
}

/** Maps the first bytes of a file that `allocateFile` made. Takes microseconds. @see mmap(2) */
export function mapFile(path: string, bytes: number): SharedMemory {
  const fd = openSync(path, 'r+');
  let address: unknown;
  try {
    address = mapCall(null, bytes, PROT_READ_WRITE, MAP_SHARED, fd, 0);
    if (address === null || koffi.address(address) === MAP_FAILED) throw systemCallError('mmap', errno(), path);
  } finally {
    closeSync(fd);
  }
  let mapped = true;
  return {
    bytes: Buffer.from(koffi.view(address, bytes)),
    unmap() {
      if (mapped) unmapCall(address, bytes);
      mapped = false;
    },
  };
}

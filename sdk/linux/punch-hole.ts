import { closeSync, openSync } from 'node:fs';
import { libc, systemCallError } from './libc';

const fallocateCall = libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');

const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;

/**
 * Gives the space of a part of a file back; it reads as zeros from then on. What of it was not written to the disk yet
 * never will be. Runs beside the event loop.
 */
export async function punchHole(path: string, offset: number, length: number): Promise<void> {
  const fd = openSync(path, 'r+');
  try {
    await new Promise<void>((resolve, reject) => {
      const mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
      fallocateCall.async(fd, mode, offset, length, (error: Error | null, result: number) => {
        if (error !== null) reject(error);
        // errno belongs to the thread that made the call, so only the failure itself is known here.
        else if (result !== 0) reject(systemCallError('fallocate', 95, path));
        else resolve();
      });
    });
  } finally {
    closeSync(fd);
  }
}

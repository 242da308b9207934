import { closeSync, openSync } from 'node:fs';
import { libc, systemCallError } from './libc';

const syncfsCall = libc.func('int syncfs(int fd)');

/** Writes everything of the file system that holds `path` to the disk. Runs beside the event loop. */
export async function syncFileSystem(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await new Promise<void>((resolve, reject) => {
      syncfsCall.async(fd, (error: Error | null, result: number) => {
        if (error !== null) reject(error);
        // errno belongs to the thread that made the call, so only the failure itself is known here.
        else if (result !== 0) reject(systemCallError('syncfs', 5, path));
        else resolve();
      });
    });
  } finally {
    closeSync(fd);
  }
}

import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

/** sun_path with its terminating zero. @see unix(7) */
const MAX_PATH_BYTES = 107;

/** Runs `use` with a path to the same socket that is short enough for the kernel. */
export async function withShortSocketPath<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return use(path);
  const directory: FileHandle = await open(dirname(path), 'r');
  try {
    return await use(`/proc/self/fd/${directory.fd}/${basename(path)}`);
  } finally {
    await directory.close();
  }
}

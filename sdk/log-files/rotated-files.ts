import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

/** One of a log's files that is no longer written. `1` is the youngest. */
export interface RotatedFile {
  readonly path: string;
  readonly number: number;
  readonly compressed: boolean;
}

const UNFINISHED = '.tmp';

/** A log's rotated files, oldest first. */
export async function rotatedFiles(logPath: string): Promise<RotatedFile[]> {
  const found = new Map<number, RotatedFile>();
  for (const { name, number, compressed } of await listSuffixed(logPath)) {
    // Killed between compressing and removing: both are whole, one is enough.
    if (compressed && found.get(number)?.compressed === false) continue;
    found.set(number, { path: join(dirname(logPath), name), number, compressed });
  }
  return [...found.values()].sort((a, b) => b.number - a.number);
}

/**
 * Makes `<log>.1` of the log, `.2` of `.1` and so on, so that with the new log at most `maxFiles` are there.
 * With one file the log is removed.
 */
export async function shiftFiles(logPath: string, maxFiles: number): Promise<void> {
  for (const { path, number, compressed } of await rotatedFiles(logPath)) {
    if (number + 1 >= maxFiles) await rm(path, { force: true });
    else await rename(path, `${logPath}.${number + 1}${compressed ? '.gz' : ''}`);
  }
  if (maxFiles < 2) await rm(logPath, { force: true });
  else await rename(logPath, `${logPath}.1`);
}

/** Writes the compressed twin of a rotated file. The caller swaps them by `swapForCompressed`. */
export async function compressFile(path: string): Promise<void> {
  await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz${UNFINISHED}`, { mode: 0o640 }));
}

/** Puts the compressed twin in the place of the file. Repeatable. */
export async function swapForCompressed(path: string): Promise<void> {
  await rename(`${path}.gz${UNFINISHED}`, `${path}.gz`);
  await rm(path, { force: true });
}

/** Removes what an interrupted rotation left. */
export async function repairRotation(logPath: string): Promise<void> {
  const directory = dirname(logPath);
  const names = new Set((await listSuffixed(logPath)).map(({ name }) => name));
  for (const name of names) if (names.has(`${name}.gz`)) await rm(join(directory, `${name}.gz`), { force: true });
  for (const name of await readdir(directory))
    if (name.startsWith(`${basename(logPath)}.`) && name.endsWith(UNFINISHED))
      await rm(join(directory, name), { force: true });
}

/** Removes the log and all its rotated files. */
export async function removeLogFiles(logPath: string): Promise<void> {
  try {
    await repairRotation(logPath);
    for (const { path } of await rotatedFiles(logPath)) await rm(path, { force: true });
  } catch (error) {
    // The directory is gone, and with it all of them.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await rm(logPath, { force: true });
}

async function listSuffixed(logPath: string) {
  const prefix = `${basename(logPath)}.`;
  const names = await readdir(dirname(logPath));
  return names.sort().flatMap((name) => {
    const match = name.startsWith(prefix) ? /^([1-9]\d*)(\.gz)?$/.exec(name.slice(prefix.length)) : null;
    return match ? [{ name, number: Number(match[1]), compressed: match[2] !== undefined }] : [];
  });
}

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { conflict } from '@gantry/sdk';

/**
 * Writes our process id for init systems and scripts.
 *
 * @param path  empty = no file
 * @returns the way to remove it; it leaves a file alone that another daemon has written meanwhile
 * @throws conflict  the process named in it runs and is a daemon like this one
 */
export async function writePidFile(path: string): Promise<() => Promise<void>> {
  if (path === '') return async () => undefined;
  const other = await readPid(path);
  if (other !== undefined && other !== process.pid && (await isDaemon(other)))
    throw conflict(`process with PID ${other} is still running: it is the daemon that wrote ${path}`);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFile(path, `${process.pid}\n`, { mode: 0o644 });
  return async () => {
    if ((await readPid(path)) === process.pid) await rm(path, { force: true });
  };
}

/** @returns undefined  there is no such file, or no process id in it */
export async function readPid(path: string): Promise<number | undefined> {
  try {
    const pid = Number((await readFile(path, 'utf8')).trim());
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** A pid alone proves nothing: after a reboot it belongs to somebody else. */
export async function isDaemon(pid: number): Promise<boolean> {
  try {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, 4);
    return words.some((word) => /(^|\/)(gantryd|dockerd)(\.js)?$/.test(word));
  } catch {
    return false;
  }
}

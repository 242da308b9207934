import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lockFileName } from '../process/data-root';
import { isDaemon, readPid } from '../process/pid-file';

/** A daemon of this machine that runs. */
export interface RunningDaemon {
  readonly pid: number;
  /** As the kernel knows it, whatever the configuration says now. */
  readonly dataRoot: string;
}

/**
 * The daemon that a pid file names; when that leads nowhere, the one that holds the lock of a data root.
 *
 * @param pidfile  empty = none
 * @returns undefined  neither is there, or they belong to a process that we may not look at
 */
export async function findDaemon(pidfile: string, dataRoot: string): Promise<RunningDaemon | undefined> {
  const named = pidfile === '' ? undefined : await readPid(pidfile);
  const pid = named !== undefined && (await isDaemon(named)) ? named : await lockHolder(join(dataRoot, lockFileName));
  return pid === undefined ? undefined : daemonOf(pid);
}

/** @returns undefined  the process is no daemon with a data root, or not ours to look at */
export async function daemonOf(pid: number): Promise<RunningDaemon | undefined> {
  const root = await lockedDataRoot(pid);
  return root === undefined ? undefined : { pid, dataRoot: root };
}

/** @see proc(5), /proc/locks: `1: FLOCK  ADVISORY  WRITE 1234 08:01:131 0 EOF` */
async function lockHolder(path: string): Promise<number | undefined> {
  const file = await stat(path).catch(() => undefined);
  if (file === undefined) return undefined;
  const locks = await readFile('/proc/locks', 'utf8').catch(() => '');
  for (const line of locks.split('\n')) {
    const [, kind, , , pid, place = ''] = line.split(/\s+/);
    if (kind === 'FLOCK' && place.split(':')[2] === String(file.ino) && (await isDaemon(Number(pid))))
      if ((await lockedDataRoot(Number(pid))) === dirname(path)) return Number(pid);
  }
  return undefined;
}

/** The data root whose lock file a process holds open. */
async function lockedDataRoot(pid: number): Promise<string | undefined> {
  const folder = `/proc/${pid}/fd`;
  for (const fd of await readdir(folder).catch(() => [])) {
    const target = await readlink(join(folder, fd)).catch(() => '');
    if (target.endsWith(`/${lockFileName}`)) return dirname(target);
  }
  return undefined;
}

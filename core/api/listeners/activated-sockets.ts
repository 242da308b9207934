import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { invalidParameter } from '@gantry/sdk';

/** @see sd_listen_fds(3) */
const firstActivatedFd = 3;

/**
 * File descriptors handed over by systemd.
 *
 * @param select  `*` for all, a descriptor number, or a FileDescriptorName
 * @throws invalid-parameter  none was handed over, or none fits
 */
export function activatedFds(select: string, env: NodeJS.ProcessEnv = process.env, pid = process.pid): number[] {
  const all = handedOver(env, pid);
  if (all.length === 0)
    throw invalidParameter('no sockets found via socket activation: make sure the service was started by systemd');
  if (select === '*') return all;
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  const chosen = all.filter((fd, index) => String(fd) === select || names[index] === select);
  if (chosen.length === 0) throw invalidParameter(`no socket handed over by systemd fits fd://${select}`);
  return chosen;
}

/**
 * The descriptor of a unix socket that systemd serves at this path already. A daemon without `fd://` may be started by
 * a unit that hands over sockets all the same, when a drop-in has changed nothing but its command line.
 */
export function activatedUnixSocket(
  path: string,
  env: NodeJS.ProcessEnv = process.env,
  pid = process.pid,
): number | undefined {
  const fds = handedOver(env, pid);
  if (fds.length === 0) return undefined;
  const pathByInode = new Map<string, string>();
  for (const line of readFileSync('/proc/net/unix', 'utf8').split('\n')) {
    // Num RefCount Protocol Flags Type St Inode Path
    const [, , , , , , inode, ...name] = line.trim().split(/\s+/);
    if (inode !== undefined && name.length > 0) pathByInode.set(inode, name.join(' '));
  }
  const wanted = withoutLinks(path);
  return fds.find((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/self/fd/${fd}`))?.[1];
    const bound = inode === undefined ? undefined : pathByInode.get(inode);
    return bound !== undefined && withoutLinks(bound) === wanted;
  });
}

/** Programs that we start must not take the sockets for theirs. */
export function forgetActivation(env: NodeJS.ProcessEnv = process.env): void {
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
}

function handedOver(env: NodeJS.ProcessEnv, pid: number): number[] {
  const count = Number(env.LISTEN_PID) === pid ? Number(env.LISTEN_FDS ?? 0) : 0;
  return Array.from({ length: count > 0 ? count : 0 }, (_, index) => firstActivatedFd + index);
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** The same path, whichever way round `/var/run` it was written. */
function withoutLinks(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch {
    return path;
  }
}

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
  const count = Number(env.LISTEN_PID) === pid ? Number(env.LISTEN_FDS ?? 0) : 0;
  if (!(count > 0))
    throw invalidParameter('no sockets found via socket activation: make sure the service was started by systemd');
  const all = Array.from({ length: count }, (_, index) => firstActivatedFd + index);
  if (select === '*') return all;
  const names = (env.LISTEN_FDNAMES ?? '').split(':');
  const chosen = all.filter((fd, index) => String(fd) === select || names[index] === select);
  if (chosen.length === 0) throw invalidParameter(`no socket handed over by systemd fits fd://${select}`);
  return chosen;
}

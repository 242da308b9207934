import { errno, libc, systemCallError } from './libc';

const chrootCall = libc.func('int chroot(const char *path)');
const unshareCall = libc.func('int unshare(int flags)');

const CLONE_NEWNS = 0x00020000;

/** Makes a directory the root of this process, for good: a process of its own, not the daemon. */
export function chroot(path: string): void {
  if (chrootCall(path) !== 0) throw systemCallError('chroot', errno(), path);
  process.chdir('/');
}

/**
 * Gives the calling thread a mount namespace and a root of its own; other threads, and so all asynchronous file
 * access, keep the old ones.
 */
export function unshareMounts(): void {
  if (unshareCall(CLONE_NEWNS) !== 0) throw systemCallError('unshare', errno());
}

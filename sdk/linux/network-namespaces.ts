import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { errno, libc, systemCallError } from './libc';
import { mount, mountFlags, unmount } from './mount';

const unshareCall = libc.func('int unshare(int flags)');
const setnsCall = libc.func('int setns(int fd, int type)');
const CLONE_NEWNET = 0x40000000;
const SELF = '/proc/thread-self/ns/net';

/**
 * Runs `work` inside another network namespace and comes back.
 *
 * `work` must be synchronous: everything else this thread does would happen in the wrong namespace otherwise.
 * When the way back fails the process aborts, because nothing it did afterwards could be trusted.
 *
 * @param namespace path of a namespace file, or an open descriptor of one
 */
export function withinNetworkNamespace<T>(namespace: string | number, work: () => T): T {
  const target = typeof namespace === 'number' ? namespace : openSync(namespace, 'r');
  try {
    const home = openSync(SELF, 'r');
    try {
      if (setnsCall(target, CLONE_NEWNET) !== 0) throw systemCallError('setns', errno(), String(namespace));
      try {
        return refusePromise(work());
      } finally {
        comeHome(home);
      }
    } finally {
      closeSync(home);
    }
  } finally {
    if (typeof namespace !== 'number') closeSync(target);
  }
}

/**
 * Makes a new network namespace, keeps it alive by a bind mount on `path` and runs `inside` in it before anybody
 * else can. Parent directories are made. A failure leaves nothing.
 *
 * @throws EEXIST  `path` exists
 */
export function createNetworkNamespace<T>(path: string, inside: () => T): T {
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, 'wx', 0o444));
  try {
    const home = openSync(SELF, 'r');
    try {
      if (unshareCall(CLONE_NEWNET) !== 0) throw systemCallError('unshare', errno(), path);
      try {
        mount(SELF, path, null, mountFlags.bind);
        return refusePromise(inside());
      } finally {
        comeHome(home);
      }
    } finally {
      closeSync(home);
    }
  } catch (error) {
    removeNetworkNamespace(path);
    throw error;
  }
}

/**
 * Gives up the namespace at `path`; the kernel reaps it and the interfaces in it once no process is left.
 * Gone already is fine.
 */
export function removeNetworkNamespace(path: string): void {
  unmount(path, { detach: true });
  rmSync(path, { force: true });
}

/** An open descriptor of the namespace the calling thread is in. The caller closes it. */
export function openOwnNetworkNamespace(): number {
  return openSync(SELF, 'r');
}

/** Moves the calling thread into a fresh network namespace for good. For tests and helpers, not for the daemon. */
export function leaveForNewNetworkNamespace(): void {
  if (unshareCall(CLONE_NEWNET) !== 0) throw systemCallError('unshare', errno());
}

/** Moves the calling thread into an open namespace for good. For tests and helpers, not for the daemon. */
export function moveToNetworkNamespace(fd: number): void {
  if (setnsCall(fd, CLONE_NEWNET) !== 0) throw systemCallError('setns', errno());
}

function comeHome(home: number): void {
  if (setnsCall(home, CLONE_NEWNET) === 0) return;
  process.stderr.write(`cannot return from a network namespace (errno ${errno()}), aborting\n`);
  process.abort();
}

function refusePromise<T>(result: T): T {
  if (typeof (result as { then?: unknown } | undefined)?.then === 'function')
    throw new TypeError('work inside a network namespace must be synchronous');
  return result;
}

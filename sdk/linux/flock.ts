import { errno, libc, systemCallError } from './libc';

const flockCall = libc.func('int flock(int fd, int operation)');

/**
 * Takes an exclusive lock on an open file, without waiting. The lock lives as long as the open file description:
 * it vanishes with the process, however that ends.
 *
 * @returns false when somebody else holds it. @see flock(2)
 */
export function tryLock(fd: number): boolean {
  const LOCK_EX = 2;
  const LOCK_NB = 4;
  const EWOULDBLOCK = 11;
  if (flockCall(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const code = errno();
  if (code === EWOULDBLOCK) return false;
  throw systemCallError('flock', code);
}

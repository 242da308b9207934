import { errno, libc, systemCallError } from './libc';

const utimensatCall = libc.func('int utimensat(int dirfd, const char *path, const int64_t *times, int flags)');

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const billion = 1_000_000_000n;

/**
 * Sets access and modification time of a path, of a symbolic link itself.
 *
 * @param path a Buffer must end with a zero byte
 * @param accessNs, modifyNs nanoseconds since the epoch; may be negative
 */
export function setTimes(path: string | Buffer, accessNs: bigint, modifyNs: bigint): void {
  const times = new BigInt64Array(4);
  put(times, 0, accessNs);
  put(times, 2, modifyNs);
  if (utimensatCall(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) !== 0)
    throw systemCallError('utimensat', errno(), path.toString());
}

function put(times: BigInt64Array, index: number, ns: bigint): void {
  let nanoseconds = ns % billion;
  if (nanoseconds < 0n) nanoseconds += billion;
  times[index] = (ns - nanoseconds) / billion;
  times[index + 1] = nanoseconds;
}

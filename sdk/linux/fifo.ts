import { errno, libc, systemCallError } from './libc';

const mkfifoCall = libc.func('int mkfifo(const char *path, unsigned int mode)');

/** Makes a FIFO; an existing path is an EEXIST error. Takes microseconds. @see mkfifo(3) */
export function mkfifo(path: string, mode = 0o600): void {
  if (mkfifoCall(path, mode) !== 0) throw systemCallError('mkfifo', errno(), path);
}

const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, _Out_ int *value)');
const FIONREAD = 0x541b;

/** How many bytes wait to be read. @see ioctl_pipe(2) */
export function unreadBytes(fd: number): number {
  const value = [0];
  if (ioctlCall(fd, FIONREAD, value) !== 0) throw systemCallError('ioctl', errno(), 'FIONREAD');
  return value[0]!;
}

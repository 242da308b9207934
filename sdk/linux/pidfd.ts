import { closeSync } from 'node:fs';
import { errno, libc, systemCallError } from './libc';

const syscall = libc.func('long syscall(long number, long a, long b, long c, long d)');
// The same numbers on every architecture: both calls are newer than the unified table.
const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;

/** A process that cannot be mistaken for a later one with the same pid. */
export class PidFd {
  private constructor(
    readonly pid: number,
    private fd: number,
  ) {}

  /** @throws ESRCH when there is no such process */
  static open(pid: number): PidFd {
    const fd = Number(syscall(PIDFD_OPEN, pid, 0, 0, 0));
    if (fd < 0) throw systemCallError('pidfd_open', errno(), String(pid));
    return new PidFd(pid, fd);
  }

  /** @throws ESRCH when the process is gone or this was closed; @throws EINVAL for an unknown signal */
  signal(signal: number): void {
    const ESRCH = 3;
    if (this.fd < 0) throw systemCallError('pidfd_send_signal', ESRCH, String(this.pid));
    if (Number(syscall(PIDFD_SEND_SIGNAL, this.fd, signal, 0, 0)) !== 0)
      throw systemCallError('pidfd_send_signal', errno(), String(this.pid));
  }

  close(): void {
    if (this.fd < 0) return;
    closeSync(this.fd);
    this.fd = -1;
  }
}

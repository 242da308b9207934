import { closeSync, readFileSync } from 'node:fs';
import { errno, libc, systemCallError } from './libc';
import { openSocket, setSocketOption, socketConstants } from './sockets';

const bindCall = libc.func('int bind(int fd, const void *address, unsigned int length)');
const fcntlCall = libc.func('int fcntl(int fd, int command, ...)');
const recvCall = libc.func('long recv(int fd, _Out_ uint8_t *data, unsigned long length, int flags)');

const F_SETFL = 4;
const F_SETOWN = 8;
const O_ASYNC = 0o20000;
const MSG_DONTWAIT = 0x40;
const SIGIO = 29;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const ENOBUFS = 105;

/** Group of nf_tables: every change of tables, chains, sets, elements and rules. @see nfnetlink.h, NFNLGRP_NFTABLES */
export const NFTABLES_GROUP = 7;

/**
 * Calls `onNews` soon after the kernel has told a multicast group of the calling thread's namespace anything; what it
 * told is not read. Nothing runs in between: the kernel announces news with the signal SIGIO.
 *
 * @param protocol  12 = netfilter
 * @returns undefined where this process cannot hear the signal, which would end it: look from time to time instead
 * @throws Error with `code` such as ENOENT when the kernel knows no such group
 */
export function watchNetlinkGroup(protocol: number, group: number, onNews: () => void): { close(): void } | undefined {
  const { AF_NETLINK, SOCK_RAW, SOCK_NONBLOCK } = socketConstants;
  const fd = openSocket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol);
  const buffer = Buffer.alloc(16);
  const hear = () => {
    let count = 0;
    for (;;) {
      // What does not fit is cut off by the kernel. A queue that overflowed says so once, and goes on.
      if (recvCall(fd, buffer, buffer.length, MSG_DONTWAIT) >= 0 || errno() === ENOBUFS) count++;
      else break;
    }
    if (count > 0) onNews();
  };
  process.on('SIGIO', hear);
  const close = () => {
    // The descriptor first: without a listener the signal would end the process.
    closeSync(fd);
    process.off('SIGIO', hear);
  };
  try {
    if (!isCaught(SIGIO)) {
      close();
      return undefined;
    }
    const address = Buffer.alloc(12);
    address.writeUInt16LE(AF_NETLINK, 0);
    if (bindCall(fd, address, address.length) !== 0) throw systemCallError('bind', errno(), 'netlink');
    if (fcntlCall(fd, F_SETOWN, 'int', process.pid) !== 0) throw systemCallError('fcntl', errno(), 'F_SETOWN');
    if (fcntlCall(fd, F_SETFL, 'int', O_ASYNC | SOCK_NONBLOCK) !== 0)
      throw systemCallError('fcntl', errno(), 'F_SETFL');
    setSocketOption(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  } catch (error) {
    close();
    throw error;
  }
  return { close };
}

/** Whether this process has a handler for a signal. */
function isCaught(signal: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
}

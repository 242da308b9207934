import { closeSync } from 'node:fs';
import { errno, libc, systemCallError } from './libc';

const socketCall = libc.func('int socket(int domain, int type, int protocol)');
const bindCall = libc.func('int bind(int fd, const void *address, unsigned int length)');
const listenCall = libc.func('int listen(int fd, int backlog)');
const setsockoptCall = libc.func('int setsockopt(int fd, int level, int name, const void *value, unsigned int length)');

/** @see socket(2) */
export const socketConstants = {
  AF_INET: 2,
  AF_INET6: 10,
  AF_NETLINK: 16,
  AF_PACKET: 17,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
} as const;

const C = socketConstants;

/** A close-on-exec socket of the namespace the calling thread is in at this moment. The caller owns the descriptor. */
export function openSocket(domain: number, type: number, protocol = 0): number {
  const fd = socketCall(domain, type | C.SOCK_CLOEXEC, protocol);
  if (fd < 0) throw systemCallError('socket', errno());
  return fd;
}

/** Sets an integer option. @see setsockopt(2) */
export function setSocketOption(fd: number, level: number, name: number, value: number): void {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  if (setsockoptCall(fd, level, name, buffer, 4) !== 0)
    throw systemCallError('setsockopt', errno(), `${level}/${name}`);
}

/**
 * A bound (and for `tcp` listening) non-blocking socket, ready for `dgram.bind({fd})` or `server.listen({fd})`.
 * IPv6 sockets serve IPv6 only.
 *
 * @param address plain IPv4 or IPv6 address in binary form (4 or 16 bytes)
 * @throws Error with `code` EADDRINUSE, EADDRNOTAVAIL, EACCES …
 */
export function openBoundSocket(
  kind: 'tcp' | 'udp',
  address: Uint8Array,
  port: number,
  options: { listen?: boolean; reuseAddress?: boolean } = {},
): number {
  const v6 = address.length === 16;
  const fd = openSocket(v6 ? C.AF_INET6 : C.AF_INET, (kind === 'tcp' ? C.SOCK_STREAM : C.SOCK_DGRAM) | C.SOCK_NONBLOCK);
  try {
    if (v6) setSocketOption(fd, C.IPPROTO_IPV6, C.IPV6_V6ONLY, 1);
    if (kind === 'tcp' && (options.reuseAddress ?? true)) setSocketOption(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    const sockaddr = Buffer.alloc(v6 ? 28 : 16);
    sockaddr.writeUInt16LE(v6 ? C.AF_INET6 : C.AF_INET, 0);
    sockaddr.writeUInt16BE(port, 2);
    sockaddr.set(address, v6 ? 8 : 4);
    if (bindCall(fd, sockaddr, sockaddr.length) !== 0) throw systemCallError('bind', errno(), `port ${port}`);
    if (kind === 'tcp' && (options.listen ?? true) && listenCall(fd, 511) !== 0)
      throw systemCallError('listen', errno(), `port ${port}`);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

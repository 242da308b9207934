import { closeSync } from 'node:fs';
import { errno, libc, systemCallError } from './libc';

const socketCall = libc.func('int socket(int domain, int type, int protocol)');
const bindCall = libc.func('int bind(int fd, const void *address, unsigned int length)');
const listenCall = libc.func('int listen(int fd, int backlog)');
const setsockoptCall = libc.func('int setsockopt(int fd, int level, int name, const void *value, unsigned int length)');

const getsockoptCall = libc.func(
  'int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ void *length)',
);

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
  SO_PEERCRED: 17,
  SO_DOMAIN: 39,
  IPPROTO_IPV6: 41,
  IPPROTO_SCTP: 132,
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

function socketOption(fd: number, level: number, name: number, bytes: number): Buffer {
  const value = Buffer.alloc(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes);
  if (getsockoptCall(fd, level, name, value, length) !== 0)
    throw systemCallError('getsockopt', errno(), `${level}/${name}`);
  return value;
}

/** Whether the descriptor is an IPv4 or IPv6 socket. @throws Error with `code` ENOTSOCK, EBADF */
export function isTcpSocket(fd: number): boolean {
  const domain = socketOption(fd, C.SOL_SOCKET, C.SO_DOMAIN, 4).readInt32LE();
  return domain === C.AF_INET || domain === C.AF_INET6;
}

/** The process at the other end of a unix socket as it was when it connected. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** @param fd  a connected unix socket. @see unix(7), SO_PEERCRED */
export function peerCredentials(fd: number): PeerCredentials {
  const value = socketOption(fd, C.SOL_SOCKET, C.SO_PEERCRED, 12);
  return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) };
}

/**
 * A bound (and but for `udp` listening) non-blocking socket, ready for `dgram.bind({fd})` or `server.listen({fd})`.
 * IPv6 sockets serve IPv6 only.
 *
 * @param address plain IPv4 or IPv6 address in binary form (4 or 16 bytes)
 * @throws Error with `code` EADDRINUSE, EADDRNOTAVAIL, EACCES, EPROTONOSUPPORT …
 */
export function openBoundSocket(
  kind: 'tcp' | 'udp' | 'sctp',
  address: Uint8Array,
  port: number,
  options: { listen?: boolean; reuseAddress?: boolean } = {},
): number {
  const v6 = address.length === 16;
  const type = kind === 'udp' ? C.SOCK_DGRAM : C.SOCK_STREAM;
  const protocol = kind === 'sctp' ? C.IPPROTO_SCTP : 0;
  const fd = openSocket(v6 ? C.AF_INET6 : C.AF_INET, type | C.SOCK_NONBLOCK, protocol);
  try {
    if (v6) setSocketOption(fd, C.IPPROTO_IPV6, C.IPV6_V6ONLY, 1);
    if (kind !== 'udp' && (options.reuseAddress ?? true)) setSocketOption(fd, C.SOL_SOCKET, C.SO_REUSEADDR, 1);
    const sockaddr = Buffer.alloc(v6 ? 28 : 16);
    sockaddr.writeUInt16LE(v6 ? C.AF_INET6 : C.AF_INET, 0);
    sockaddr.writeUInt16BE(port, 2);
    sockaddr.set(address, v6 ? 8 : 4);
    if (bindCall(fd, sockaddr, sockaddr.length) !== 0) throw systemCallError('bind', errno(), `port ${port}`);
    if (kind !== 'udp' && (options.listen ?? true) && listenCall(fd, 511) !== 0)
      throw systemCallError('listen', errno(), `port ${port}`);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

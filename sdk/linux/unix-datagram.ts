import { closeSync } from 'node:fs';
import { errno, libc, systemCallError } from './libc';
import { openSocket, socketConstants } from './sockets';

const sendtoCall = libc.func(
  'long sendto(int fd, const void *data, size_t length, int flags, const void *address, unsigned int addressLength)',
);

const AF_UNIX = 1;
const MSG_NOSIGNAL = 0x4000;
/** `sun_path` of sockaddr_un. */
const longestPath = 108;

/**
 * Sends one datagram to a unix socket, without waiting: a receiver whose buffer is full does not get it.
 *
 * @param address  an absolute path, or `@name` in the abstract namespace
 * @throws Error with `code` ENOENT, ECONNREFUSED, EAGAIN, EACCES …
 * @see unix(7)
 */
export function sendUnixDatagram(address: string, data: string): void {
  const name = Buffer.from(address);
  const isAbstract = name[0] === 0x40;
  if (name.length >= longestPath || !(isAbstract || name[0] === 0x2f))
    throw new Error(`"${address}" is no address of a unix socket`);
  if (isAbstract) name[0] = 0;
  // The name of an abstract socket has no closing zero: its length says where it ends.
  const sockaddr = Buffer.alloc(2 + name.length + (isAbstract ? 0 : 1));
  sockaddr.writeUInt16LE(AF_UNIX, 0);
  name.copy(sockaddr, 2);
  const fd = openSocket(AF_UNIX, socketConstants.SOCK_DGRAM | socketConstants.SOCK_NONBLOCK);
  try {
    const bytes = Buffer.from(data);
    if (sendtoCall(fd, bytes, bytes.length, MSG_NOSIGNAL, sockaddr, sockaddr.length) < 0)
      throw systemCallError('sendto', errno(), address);
  } finally {
    closeSync(fd);
  }
}

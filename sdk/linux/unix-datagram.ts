import { closeSync } from 'node:fs';
import { errno, libc, systemCallError } from './libc';
import { openSocket, setSocketOption, socketConstants } from './sockets';

const sendtoCall = libc.func(
  'long sendto(int fd, const void *data, size_t length, int flags, const void *address, unsigned int addressLength)',
);

const AF_UNIX = 1;
const SO_SNDBUF = 7;
const MSG_NOSIGNAL = 0x4000;
/** `sun_path` of sockaddr_un. */
const longestPath = 108;

/** Sends datagrams to a unix socket. Whoever made it closes it. @see unix(7) */
export class UnixDatagramSender {
  private readonly sockaddr: Buffer;
  private readonly fd: number;

  /**
   * @param address      an absolute path, or `@name` in the abstract namespace
   * @param bufferBytes  what the kernel may hold for the receiver, and with it the largest datagram
   */
  constructor(
    private readonly address: string,
    bufferBytes?: number,
  ) {
    const name = Buffer.from(address);
    const isAbstract = name[0] === 0x40;
    if (name.length >= longestPath || !(isAbstract || name[0] === 0x2f))
      throw new Error(`"${address}" is no address of a unix socket`);
    if (isAbstract) name[0] = 0;
    // The name of an abstract socket has no closing zero: its length says where it ends.
    this.sockaddr = Buffer.alloc(2 + name.length + (isAbstract ? 0 : 1));
    this.sockaddr.writeUInt16LE(AF_UNIX, 0);
    name.copy(this.sockaddr, 2);
    this.fd = openSocket(AF_UNIX, socketConstants.SOCK_DGRAM | socketConstants.SOCK_NONBLOCK);
    if (bufferBytes !== undefined) setSocketOption(this.fd, socketConstants.SOL_SOCKET, SO_SNDBUF, bufferBytes);
  }

  /**
   * Sends without waiting: a receiver whose buffer is full does not get it.
   *
   * @throws Error with `code` ENOENT, ECONNREFUSED, EAGAIN, EMSGSIZE, EACCES …
   */
  send(data: Uint8Array): void {
    const { fd, sockaddr, address } = this;
    if (sendtoCall(fd, data, data.length, MSG_NOSIGNAL, sockaddr, sockaddr.length) < 0)
      throw systemCallError('sendto', errno(), address);
  }

  close(): void {
    closeSync(this.fd);
  }
}

/**
 * Sends one datagram to a unix socket, without waiting: a receiver whose buffer is full does not get it.
 *
 * @param address  an absolute path, or `@name` in the abstract namespace
 * @throws Error with `code` ENOENT, ECONNREFUSED, EAGAIN, EACCES …
 */
export function sendUnixDatagram(address: string, data: string): void {
  const sender = new UnixDatagramSender(address);
  try {
    sender.send(Buffer.from(data));
  } finally {
    sender.close();
  }
}

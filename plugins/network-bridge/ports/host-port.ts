import { closeSync } from 'node:fs';
import { createServer, connect as netConnect, type Server } from 'node:net';
import { openBoundSocket } from '@gantry/sdk/linux/sockets';
import { addressBytes } from '../addresses';
import { relayUdp } from './udp-relay';

/** A host port this daemon holds, so that nobody else takes it. */
export interface HeldPort {
  close(): void;
}

export interface PortTarget {
  readonly ip: string;
  readonly port: number;
}

/**
 * Binds a host port for good.
 * @param relayTo what reaches the socket is passed on in user land, which serves where the packet
 * filter does not (an IPv6 host address and an IPv4 container, or no packet filter at all); undefined = it waits
 * @throws Error with `code` EADDRINUSE, EADDRNOTAVAIL, …
 */
export function holdPort(
  proto: 'tcp' | 'udp' | 'sctp',
  hostIp: string,
  port: number,
  relayTo: PortTarget | undefined,
): HeldPort {
  const fd = openSocketOf(proto, hostIp, port);
  if (fd === undefined) return { close: () => undefined };
  if (relayTo === undefined || proto === 'sctp') return { close: () => closeSync(fd) };
  if (proto === 'udp') return relayUdp(fd, hostIp.includes(':'), relayTo);
  return relay(fd, relayTo);
}

/** undefined: a kernel without SCTP sockets, where nobody can take an SCTP port. */
function openSocketOf(proto: 'tcp' | 'udp' | 'sctp', hostIp: string, port: number): number | undefined {
  try {
    return openBoundSocket(proto, addressBytes(hostIp), port);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (proto === 'sctp' && (code === 'EPROTONOSUPPORT' || code === 'ESOCKTNOSUPPORT')) return undefined;
    throw error;
  }
}

function relay(fd: number, target: PortTarget): HeldPort {
  const open = new Set<{ destroy(): void }>();
  const server: Server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const upstream = netConnect({ host: target.ip, port: target.port, allowHalfOpen: true });
    open.add(client);
    client.on('close', () => {
      open.delete(client);
      upstream.destroy();
    });
    upstream.on('close', () => client.destroy());
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
    client.resume();
  });
  server.on('error', () => server.close());
  server.listen({ fd });
  server.unref();
  return {
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

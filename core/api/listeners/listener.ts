import http from 'node:http';
import type { Server } from 'node:net';
import type { Logger } from '@gantry/sdk';
import { type DoorLimits, doorLimits } from '../limits';
import { activatedFds, activatedUnixSocket } from './activated-sockets';
import { formatListenAddress, type ListenAddress, type TlsFiles } from './listen-address';
import { listening } from './listening';
import { listenOnTcp, tlsOptions, warnWhenUnverified } from './tcp-socket';
import { listenOnUnixSocket } from './unix-socket';

/** An open listener; closing is the API server's, because connections outlive it. */
export interface Listener {
  readonly address: ListenAddress;
  /** For people; a TCP port of 0 is shown as the one chosen. */
  readonly name: string;
  /** `http://127.0.0.1:2375`: set when whoever reaches this port is served without being verified. */
  readonly exposedAs?: string;
}

export interface OpenListener extends Listener {
  readonly server: http.Server;
}

const httpOptions = (limits: DoorLimits): http.ServerOptions => ({
  // Pulls, builds and logs last as long as they last; only the header has to arrive in time.
  requestTimeout: 0,
  headersTimeout: limits.headersMs,
  connectionsCheckingInterval: limits.checkMs,
  // Clients pool connections and do not expect the daemon to drop them.
  keepAliveTimeout: 0,
  maxHeaderSize: limits.headerBytes,
});

/** Opens the sockets of one address; `fd://` may be several. Undoes what it opened when one fails. */
export async function openListeners(
  address: ListenAddress,
  attach: (server: http.Server) => void,
  log: Logger,
  limits: DoorLimits = doorLimits,
): Promise<OpenListener[]> {
  if (address.kind === 'fd') return openActivated(address, attach, log, limits);
  const server = await createServer(address.kind === 'tcp' ? address.tls : undefined, limits);
  attach(server);
  if (address.kind === 'unix') {
    const fd = activatedUnixSocket(address.path);
    if (fd === undefined) await listenOnUnixSocket(server, address, log);
    else
      await listening(server, () => server.listen({ fd }), `${formatListenAddress(address)} (handed over by systemd)`);
  } else await listenOnTcp(server, address, log);
  return [opened(address, address.kind === 'tcp' ? nameOfPort(address, server) : formatListenAddress(address), server)];
}

async function openActivated(
  address: Extract<ListenAddress, { kind: 'fd' }>,
  attach: (server: http.Server) => void,
  log: Logger,
  limits: DoorLimits,
): Promise<OpenListener[]> {
  const listeners: OpenListener[] = [];
  try {
    const fds = activatedFds(address.select);
    const { isTcpSocket } = require('@gantry/sdk/linux/sockets') as typeof import('@gantry/sdk/linux/sockets');
    for (const fd of fds) {
      const name = `fd://${fd}`;
      // What was asked for about TLS holds for every port, whoever opened it.
      const isTcp = isTcpSocket(fd);
      const server = await createServer(isTcp ? address.tls : undefined, limits);
      attach(server);
      if (isTcp) warnWhenUnverified(name, address.tls, log);
      await listening(server, () => server.listen({ fd }), name);
      listeners.push(opened(address, name, server));
    }
  } catch (error) {
    for (const { server } of listeners) server.close();
    throw error;
  }
  return listeners;
}

function opened(address: ListenAddress, name: string, server: http.Server): OpenListener {
  const bound = server.address();
  const tls = address.kind === 'unix' ? undefined : address.tls;
  if (bound === null || typeof bound === 'string' || tls?.verifyClients === true) return { address, name, server };
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return { address, name, server, exposedAs: `${tls === undefined ? 'http' : 'https'}://${host}:${bound.port}` };
}

async function createServer(tls: TlsFiles | undefined, limits: DoorLimits): Promise<http.Server> {
  if (tls === undefined) return answeringHalfClosed(http.createServer(httpOptions(limits)));
  const https: typeof import('node:https') = require('node:https');
  // Half-close must work over TLS too: `docker run -i` ends stdin and still reads output.
  const options = { ...httpOptions(limits), ...(await tlsOptions(tls)), allowHalfOpen: true };
  return answeringHalfClosed(https.createServer(options) as unknown as http.Server);
}

/** `printf 'GET …' | socat - UNIX:…` ends its side before the answer, and dockerd answers it all the same. */
function answeringHalfClosed(server: http.Server): http.Server {
  return Object.assign(server, { httpAllowHalfOpen: true });
}

function nameOfPort(address: Extract<ListenAddress, { kind: 'tcp' }>, server: Server): string {
  const bound = server.address();
  return formatListenAddress(typeof bound === 'object' && bound !== null ? { ...address, port: bound.port } : address);
}

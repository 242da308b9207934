import http from 'node:http';
import type { Server } from 'node:net';
import type { Logger } from '@gantry/sdk';
import { activatedFds } from './activated-sockets';
import { formatListenAddress, type ListenAddress } from './listen-address';
import { listening } from './listening';
import { listenOnTcp, tlsOptions } from './tcp-socket';
import { listenOnUnixSocket } from './unix-socket';

/** An open listener; closing is the API server's, because connections outlive it. */
export interface Listener {
  readonly address: ListenAddress;
  /** For people; a TCP port of 0 is shown as the one chosen. */
  readonly name: string;
}

export interface OpenListener extends Listener {
  readonly server: http.Server;
}

const httpOptions: http.ServerOptions = {
  // Pulls, builds and logs last as long as they last; only the header has to arrive in time.
  requestTimeout: 0,
  headersTimeout: 60_000,
  // Clients pool connections and do not expect the daemon to drop them.
  keepAliveTimeout: 0,
  // X-Registry-Config carries the credentials of every registry a client knows.
  maxHeaderSize: 256 * 1024,
};

/** Opens the sockets of one address; `fd://` may be several. Undoes what it opened when one fails. */
export async function openListeners(
  address: ListenAddress,
  attach: (server: http.Server) => void,
  log: Logger,
): Promise<OpenListener[]> {
  if (address.kind === 'fd') return openActivated(address, attach);
  const server = await createServer(address);
  attach(server);
  if (address.kind === 'unix') await listenOnUnixSocket(server, address, log);
  else await listenOnTcp(server, address, log);
  return [{ address, name: nameOf(address, server), server }];
}

async function openActivated(
  address: Extract<ListenAddress, { kind: 'fd' }>,
  attach: (server: http.Server) => void,
): Promise<OpenListener[]> {
  const opened: OpenListener[] = [];
  try {
    for (const fd of activatedFds(address.select)) {
      const server = answeringHalfClosed(http.createServer(httpOptions));
      attach(server);
      await listening(server, () => server.listen({ fd }), `fd://${fd}`);
      opened.push({ address, name: `fd://${fd}`, server });
    }
  } catch (error) {
    for (const { server } of opened) server.close();
    throw error;
  }
  return opened;
}

async function createServer(address: ListenAddress): Promise<http.Server> {
  if (address.kind !== 'tcp' || address.tls === undefined) return answeringHalfClosed(http.createServer(httpOptions));
  const https: typeof import('node:https') = require('node:https');
  // Half-close must work over TLS too: `docker run -i` ends stdin and still reads output.
  const options = { ...httpOptions, ...(await tlsOptions(address.tls)), allowHalfOpen: true };
  return answeringHalfClosed(https.createServer(options) as unknown as http.Server);
}

/** `printf 'GET …' | socat - UNIX:…` ends its side before the answer, and dockerd answers it all the same. */
function answeringHalfClosed(server: http.Server): http.Server {
  return Object.assign(server, { httpAllowHalfOpen: true });
}

function nameOf(address: ListenAddress, server: Server): string {
  const bound = server.address();
  if (address.kind === 'tcp' && bound !== null && typeof bound === 'object')
    return formatListenAddress({ ...address, port: bound.port });
  return formatListenAddress(address);
}

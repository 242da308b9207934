import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIPv6 } from 'node:net';
import { parsePluginAddress } from '../client/address';
import type { ApiRoutes } from '../contracts/api-routes';
import type { AuthorizationPlugin } from '../contracts/authz';
import type { IpamDriver } from '../contracts/ipam-driver';
import type { LogDriver } from '../contracts/log-driver';
import type { MetricsCollector } from '../contracts/metrics-collector';
import type { NetworkDriver } from '../contracts/network-driver';
import type { SecretProvider } from '../contracts/secret-provider';
import type { VolumeDriver } from '../contracts/volume-driver';
import { invalidParameter, notImplemented } from '../errors';
import type { Disposable } from '../lifecycle';
import { activateMethod, type ErrorField, encodeError, pluginMediaType } from '../wire';
import { answerRoute, answerUpgrade, apiRoutesKind, isForwarded } from './api-routes';
import { authorizationKind } from './authorization';
import { ipamDriverKind } from './ipam-driver';
import { logDriverKind } from './log-driver';
import type { MethodHandler, ServedKind, StreamHandler } from './method-table';
import { metricsCollectorKind } from './metrics-collector';
import { networkDriverKind } from './network-driver';
import { secretProviderKind } from './secret-provider';
import { clearSocketPath, listenOnSocket } from './socket-file';
import { sendStream } from './stream-answer';
import { volumeDriverKind } from './volume-driver';

/** What to serve, and where. */
export interface ServeOptions {
  /** The drivers to serve; one socket may carry several kinds (P-ACT-3). */
  readonly drivers: {
    readonly volume?: VolumeDriver;
    readonly network?: NetworkDriver;
    readonly ipam?: IpamDriver;
    readonly log?: LogDriver;
    readonly authorization?: AuthorizationPlugin;
    readonly metrics?: MetricsCollector;
    readonly secret?: SecretProvider;
    /** Routes of the Engine API, which the daemon forwards. */
    readonly routes?: ApiRoutes;
  };
  /** Absolute path of the socket to make; `/run/docker/plugins/NAME.sock` is where an engine looks for NAME. */
  readonly socketPath?: string;
  /** Instead of `socketPath`: `tcp://127.0.0.1:0` and the like; 0 chooses a port. Anybody who can connect is trusted. */
  readonly address?: string;
  /** Permission bits of the socket; 0660 when absent. */
  readonly mode?: number;
  /** Largest request taken, in bytes; 16 MiB when absent: authorization plugins are shown whole bodies. */
  readonly maxRequestBytes?: number;
  /** Told about every call that failed. */
  readonly onError?: (method: string, error: unknown) => void;
}

/** A plugin that answers calls until it is closed. */
export interface ServedPlugin extends Disposable {
  /** Where it listens, in the form `connectPlugin` takes. */
  readonly address: string;
  /** Takes no new calls, lets the running ones end (at most `graceMs`, 5,000 when absent), removes the socket. */
  close(options?: { graceMs?: number }): Promise<void>;
}

/**
 * Serves drivers over the Docker plugin protocol.
 *
 * @throws conflict           the socket is in use, or the path is not a socket
 * @throws invalid-parameter  neither or both of `socketPath` and `address`, or no driver
 */
export async function serve(options: ServeOptions): Promise<ServedPlugin> {
  const { volume, network, ipam, log, authorization, metrics, secret, routes } = options.drivers;
  const kinds: ServedKind[] = [];
  if (volume !== undefined) kinds.push(volumeDriverKind(volume));
  if (network !== undefined) kinds.push(networkDriverKind(network));
  if (ipam !== undefined) kinds.push(ipamDriverKind(ipam));
  if (log !== undefined) kinds.push(logDriverKind(log, (method, error) => options.onError?.(method, error)));
  if (authorization !== undefined) kinds.push(authorizationKind(authorization));
  if (metrics !== undefined) kinds.push(metricsCollectorKind(metrics));
  if (secret !== undefined) kinds.push(secretProviderKind(secret));
  if (routes !== undefined) kinds.push(apiRoutesKind(routes));
  if (kinds.length === 0) throw invalidParameter('serve: no driver given');
  if ((options.socketPath === undefined) === (options.address === undefined))
    throw invalidParameter('serve: give either socketPath or address');
  const endpoint = parsePluginAddress(options.socketPath ?? options.address ?? '');
  if (endpoint.kind === 'tcp' && endpoint.tls)
    throw invalidParameter('serve: https is not offered; put a proxy in front');

  const methods = new Map<string, ServedMethod>();
  for (const { methods: own, streams = {}, errorField = 'Err', errorStatus = 200 } of kinds) {
    for (const [name, handle] of Object.entries(own)) methods.set(name, { handle, errorField, errorStatus });
    // Where data is expected an error inside a 200 answer would be taken for it.
    for (const [name, stream] of Object.entries(streams)) methods.set(name, { stream, errorField, errorStatus: 500 });
  }
  const activate = async () => ({ Implements: kinds.flatMap((kind) => [kind.kind, ...(kind.alsoImplements ?? [])]) });
  methods.set(activateMethod, { handle: activate, errorField: 'Err', errorStatus: 200 });
  const server = createServer((request, response) => {
    if (routes !== undefined && isForwarded(request)) void answerRoute(request, response, routes);
    else void answer(request, response, methods, options);
  });
  if (routes !== undefined)
    server.on('upgrade', (request, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      if (isForwarded(request)) void answerUpgrade(request, socket, routes);
      else socket.destroy();
    });

  let address: string;
  if (endpoint.kind === 'unix') {
    await clearSocketPath(endpoint.path);
    await listenOnSocket(server, endpoint.path, options.mode ?? 0o660);
    address = `unix://${endpoint.path}`;
  } else {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(endpoint.port, endpoint.host, resolve);
    });
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : endpoint.port;
    address = `tcp://${isIPv6(endpoint.host) ? `[${endpoint.host}]` : endpoint.host}:${port}`;
  }

  return {
    address,
    close: (how = {}) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), how.graceMs ?? 5000);
        // Node removes the socket file itself.
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

type ServedMethod = ({ readonly handle: MethodHandler } | { readonly stream: StreamHandler }) & {
  readonly errorField: ErrorField;
  readonly errorStatus: number;
};

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  methods: ReadonlyMap<string, ServedMethod>,
  options: ServeOptions,
): Promise<void> {
  const method = (request.url ?? '/').split('?')[0]!.slice(1);
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  const served = methods.get(method);
  try {
    if (request.method !== 'POST' || served === undefined) {
      request.resume();
      return send(response, 404, encodeError(notImplemented(`${method}: this plugin does not have this method`)));
    }
    const body = await readBody(request, options.maxRequestBytes ?? 16 * 1024 * 1024);
    if ('stream' in served) await sendStream(response, served.stream(body, gone.signal), gone.signal);
    else send(response, 200, await served.handle(body, gone.signal));
  } catch (error) {
    options.onError?.(method, error);
    if (response.headersSent) return void response.destroy();
    // An error inside a 200 answer is what every engine shows unchanged (P-CALL-8).
    send(response, served?.errorStatus ?? 200, encodeError(error, served?.errorField));
  }
}

async function readBody(request: IncomingMessage, limit: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw invalidParameter(`the request is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch (error) {
    throw invalidParameter('the request is not JSON', error);
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': pluginMediaType, 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

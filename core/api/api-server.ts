import { once } from 'node:events';
import type http from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  type ApiRoute,
  type ApiSubject,
  type DaemonSettings,
  type Logger,
  type SystemInfo,
  unavailable,
} from '@gantry/sdk';
import type { EventHistory } from '../events/event-log';
import type { CallWatcher } from '../kernel/watched-instance';
import type { RequestOutcome } from '../metrics/engine-metrics';
import { RequestWire } from './doors/request-door';
import { UpgradeWire } from './doors/upgrade-door';
import { edgeApp } from './edge-app';
import type { DoorLimits } from './limits';
import type { ListenAddress } from './listeners/listen-address';
import { type Listener, type OpenListener, openListeners } from './listeners/listener';
import type { Authorizer } from './pipeline/authorizer';
import { Pipeline } from './pipeline/pipeline';
import { type AnswerHeaders, serverHeaders } from './pipeline/server-headers';
import { Shutdown } from './pipeline/shutdown';
import { coreRoutes } from './routes/core-routes';
import { RouteTable } from './routes/route-table';
import { vacantRooms } from './routes/vacant-rooms';
import { closeGently } from './streams/hijacked-connection';
import type { DaemonVersion } from './versions/daemon-version';

export interface ApiServerDeps {
  /** The live set of contributed routes; read again after `routesChanged`. */
  readonly routes: () => readonly ApiRoute[];
  /** The object that a request to a contributed route names. */
  readonly subjectOf?: (
    route: ApiRoute,
    params: Readonly<Record<string, string>>,
  ) => ApiSubject | undefined | Promise<ApiSubject | undefined>;
  /** What plugins add to info, version and disk usage, by provider name. */
  readonly systemInfo: () => readonly (readonly [name: string, info: SystemInfo])[];
  readonly authorize: Authorizer;
  readonly version: DaemonVersion;
  readonly events: EventHistory;
  /** Told how every request went. */
  readonly ended?: (outcome: RequestOutcome) => void;
  /** Put around every request. */
  readonly around?: (request: http.IncomingMessage, work: () => Promise<RequestOutcome>) => Promise<unknown>;
  readonly settings: DaemonSettings;
  readonly log: Logger;
  /** Told of every request that goes on to a plugin. */
  readonly watchPlugin?: CallWatcher;
  /** The usual ones when absent. */
  readonly limits?: DoorLimits;
}

/**
 * The Docker Engine API on any number of sockets. Nothing happens before `listen`.
 *
 * `_ping` is answered from the first moment; requests for routes nobody has contributed yet wait until `started`
 * is called.
 */
export class ApiServer {
  private readonly log: Logger;
  private readonly pipeline: Pipeline;
  private readonly own: readonly ApiRoute[];
  private readonly listeners: OpenListener[] = [];
  private readonly connections = new Set<Socket>();
  private readonly closed: Promise<unknown>[] = [];
  private readonly shutdown = new Shutdown();
  private table: RouteTable | undefined;
  private starting: Promise<void> | undefined;
  private markStarted!: () => void;
  private markFailed!: (error: Error) => void;

  constructor(private readonly deps: ApiServerDeps) {
    this.log = deps.log;
    this.starting = new Promise((resolve, reject) => {
      this.markStarted = resolve;
      this.markFailed = reject;
    });
    // Nobody may be waiting when the daemon gives up.
    this.starting.catch(() => {});
    const common: AnswerHeaders = serverHeaders({
      version: deps.version.version,
      experimental: deps.settings.experimental,
    });
    this.own = coreRoutes({
      ...deps,
      starting: () => this.starting,
      exposedAddresses: () => this.listeners.flatMap(({ exposedAs }) => exposedAs ?? []),
    });
    this.pipeline = new Pipeline({
      table: () => this.routeTable(),
      starting: () => this.starting,
      authorize: deps.authorize,
      subjectOf: deps.subjectOf ?? (() => undefined),
      common,
      edge: edgeApp(common),
      shutdown: this.shutdown,
      ended: deps.ended,
      around: deps.around,
      log: deps.log,
      watchPlugin: deps.watchPlugin,
    });
  }

  /**
   * Opens the sockets of one address and serves them.
   *
   * @throws conflict           another process serves the unix socket
   * @throws invalid-parameter  the address cannot be used as it is
   */
  async listen(address: ListenAddress): Promise<readonly Listener[]> {
    const opened = await openListeners(address, (server) => this.attach(server), this.log, this.deps.limits);
    this.listeners.push(...opened);
    for (const { name } of opened) this.log.info('API listens', { address: name });
    return opened;
  }

  /** The set of contributed routes is another one now. */
  routesChanged(): void {
    this.table = undefined;
  }

  /** All plugins have started: requests for unknown routes are answered, those that waited go on. */
  started(): void {
    this.table = undefined;
    this.starting = undefined;
    this.markStarted();
  }

  /** No new connections from now on; those that are open go on. Unix sockets are removed. Repeatable. */
  stopAccepting(): void {
    if (this.starting !== undefined) this.markFailed(unavailable('the daemon is shutting down'));
    for (const { server } of this.listeners) {
      if (!server.listening) continue;
      this.closed.push(once(server, 'close'));
      server.close();
      server.closeIdleConnections();
    }
  }

  /**
   * Stops accepting, tells streams to end, waits for requests in flight, then cuts what is left.
   *
   * @param drainMs how long requests in flight may take to end
   */
  async close(drainMs: number): Promise<void> {
    this.stopAccepting();
    this.shutdown.begin();
    const cut = setTimeout(() => {
      for (const socket of this.connections) socket.destroy();
    }, drainMs);
    // A connection whose last request ends now would otherwise be kept alive for the next one.
    const sweep = setInterval(() => {
      for (const { server } of this.listeners) server.closeIdleConnections();
    }, 20);
    await Promise.all(this.closed);
    clearTimeout(cut);
    clearInterval(sweep);
  }

  private attach(server: http.Server): void {
    server.on('connection', (socket: Socket) => {
      this.connections.add(socket);
      const from = socket.remoteAddress && `${socket.remoteAddress}:${socket.remotePort}`;
      this.log.debug('connection opened', { listener: this.nameOf(server), from });
      socket.once('close', () => {
        this.connections.delete(socket);
        const { bytesRead, bytesWritten } = socket;
        this.log.debug('connection closed', { listener: this.nameOf(server), from, bytesRead, bytesWritten });
      });
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      // Node closes without a word to the client, so at least the log has the reason.
      const reason = socket.authorizationError ?? error.code ?? error.message;
      this.log.info('TLS client refused', { from: socket.remoteAddress, reason: String(reason) });
    });
    server.on('request', (request, response) => {
      void this.pipeline.run(new RequestWire(request, response, this.nameOf(server)));
    });
    server.on('upgrade', (request, socket, head) => {
      this.admitUpgrade(request, socket as Socket, head, this.nameOf(server));
    });
  }

  private admitUpgrade(request: http.IncomingMessage, socket: Socket, head: Buffer, listener: string): void {
    let wire: UpgradeWire;
    try {
      wire = new UpgradeWire(request, socket, head, listener);
    } catch (error) {
      this.log.debug('upgrade request refused', { error: (error as Error).message });
      socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      closeGently(socket);
      return;
    }
    void this.pipeline.run(wire);
  }

  private nameOf(server: http.Server): string {
    return this.listeners.find((listener) => listener.server === server)?.name ?? '';
  }

  private routeTable(): RouteTable {
    if (this.table !== undefined) return this.table;
    // A plugin's routes are there when all are ready: before that it has not restored what was running.
    const contributed = this.starting === undefined ? this.deps.routes() : undefined;
    const routes = [...this.own, ...(contributed ? [...contributed, ...vacantRooms(contributed)] : [])];
    this.table = new RouteTable(routes, this.log);
    if (contributed !== undefined)
      for (const { method, path } of routes) this.log.debug('registering route', { method, path });
    return this.table;
  }
}

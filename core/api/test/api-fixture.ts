import { mkdtemp, rm } from 'node:fs/promises';
import net, { type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiRoute, CleanupStack, type DaemonSettings, type Logger, type SystemInfo } from '@gantry/sdk';
import { EventLog } from '../../events/event-log';
import { ApiServer } from '../api-server';
import type { DoorLimits } from '../limits';
import { type Authorizer, allowAll } from '../pipeline/authorizer';

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A logger that keeps what it is told. */
export function recordingLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: string) =>
    (message: string, fields: Record<string, unknown> = {}) =>
      void lines.push({ level, message, fields });
  const logger = { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return Object.assign(logger, { child: () => logger as unknown as Logger });
}

export interface Fixture {
  readonly server: ApiServer;
  readonly socketPath: string;
  readonly events: EventLog;
  readonly log: ReturnType<typeof recordingLogger>;
  readonly routes: ApiRoute[];
}

const cleanups = new CleanupStack();

/** Undoes what the fixtures of a test opened; call it in `afterEach`. */
export async function closeFixtures(): Promise<void> {
  expect(await cleanups.runAll()).toEqual([]);
}

export async function temporaryDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-api-'));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** An API server with these routes on a unix socket of its own. */
export async function startApi(
  routes: ApiRoute[],
  options: {
    authorize?: Authorizer;
    systemInfo?: readonly (readonly [string, SystemInfo])[];
    isStarting?: boolean;
    limits?: DoorLimits;
    eventCapacity?: number;
  } = {},
): Promise<Fixture> {
  const log = recordingLogger();
  const events = new EventLog(log, { capacity: options.eventCapacity });
  const server = new ApiServer({
    routes: () => routes,
    systemInfo: () => options.systemInfo ?? [],
    authorize: options.authorize ?? allowAll,
    version: { version: '0.1.0', gitCommit: 'abcdef0', buildTime: '' },
    events,
    settings: fixtureSettings,
    limits: options.limits,
    log,
  });
  const socketPath = join(await temporaryDir(), 'api.sock');
  await server.listen({ kind: 'unix', path: socketPath });
  if (options.isStarting !== true) server.started();
  cleanups.push(() => server.close(0));
  return { server, socketPath, events, log, routes };
}

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends bytes as they are and reads until the server closes. `head` lines without the blank line at the end. */
export async function exchangeRaw(socketPath: string, lines: readonly string[], body = ''): Promise<Answer> {
  const socket = await connect(socketPath);
  socket.write(`${[...lines, 'Host: x', 'Connection: close'].join('\r\n')}\r\n\r\n${body}`);
  return parseAnswer(await readToEnd(socket));
}

export async function get(socketPath: string, path: string, method = 'GET'): Promise<Answer> {
  return exchangeRaw(socketPath, [`${method} ${path} HTTP/1.1`]);
}

export async function post(socketPath: string, path: string, body: string, contentType = 'application/json') {
  const lines = [`POST ${path} HTTP/1.1`, `Content-Type: ${contentType}`, `Content-Length: ${Buffer.byteLength(body)}`];
  return exchangeRaw(socketPath, lines, body);
}

export function connect(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path: socketPath, allowHalfOpen: true }, () => resolve(socket));
    socket.once('error', reject);
    cleanups.push(() => void socket.destroy());
  });
}

export async function readToEnd(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  // Plain iteration would destroy our side too.
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Reads until the text has arrived; returns everything read so far. */
export function readUntil(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const onData = (chunk: Buffer) => {
      seen += chunk.toString();
      if (!seen.includes(text)) return;
      socket.off('data', onData);
      socket.pause();
      resolve(seen);
    };
    socket.on('data', onData);
    socket.resume();
    socket.once('close', () => reject(new Error(`closed before "${text}" arrived; saw: ${seen}`)));
  });
}

export function parseAnswer(text: string): Answer {
  const end = text.indexOf('\r\n\r\n');
  const head = text.slice(0, end);
  const [statusLine = '', ...headerLines] = head.split('\r\n');
  const headers = Object.fromEntries(
    headerLines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  return { status: Number(statusLine.split(' ')[1]), head, headers, body: text.slice(end + 4) };
}

const fixtureSettings = {
  dataRoot: '/var/lib/gantry',
  execRoot: '/run/gantry',
  engineId: '0123456789abcdef',
  engineVersion: '0.1.0',
  debug: false,
  labels: ['rack=7'],
  experimental: false,
  builder: {
    collectGarbage: true,
    cacheBytes: undefined,
    cachePolicies: [],
    allowHostNetwork: true,
    allowInsecure: false,
    prefersBuildkit: true,
    buildkit: undefined,
  },
  storageDriver: 'overlay2',
  logDriver: 'json-file',
  cgroupDriver: 'cgroupfs',
  defaultRuntime: 'runc',
  defaultCgroupnsMode: 'host',
  defaultNetworkOptions: {},
  defaultAddressPools: [],
  insecureRegistries: ['10.0.0.0/8', 'registry.local:5000'],
  registryMirrors: [],
  registryMirrorPrefixes: {},
  proxies: { httpProxy: '', httpsProxy: '', noProxy: '' },
  liveRestore: false,
  noNewPrivileges: false,
} as unknown as DaemonSettings;

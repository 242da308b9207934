import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogDriver, Logger, LogInfo } from '@gantry/sdk';
import { connectLogDriver } from '@gantry/sdk/client';
import { type CaseResult, connectJudgedPlugin, logDriverSuite, runSuite } from '@gantry/sdk/conformance';
import { serve } from '@gantry/sdk/serve';
import { makeAwsLogsDriver } from '../../plugins/log-awslogs/awslogs-driver';
import { makeFluentdDriver } from '../../plugins/log-fluentd/fluentd-driver';
import { makeGcpLogsDriver } from '../../plugins/log-gcplogs/gcplogs-driver';
import { makeGelfDriver } from '../../plugins/log-gelf/gelf-driver';
import { makeJournaldDriver } from '../../plugins/log-journald/journald-driver';
import { makeJsonFileDriver } from '../../plugins/log-json-file/json-file-driver';
import { makeLocalDriver } from '../../plugins/log-local/local-driver';
import { makeSplunkDriver } from '../../plugins/log-splunk/splunk-driver';
import { makeSyslogDriver } from '../../plugins/log-syslog/syslog-driver';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const journal = '/run/systemd/journal/socket';

let folder: string;
/** Take everything and say yes. */
let http: HttpServer;
let tcp: Server;
const sockets = new Set<Socket>();
const udp = createSocket('udp4');
const portOf = (server: HttpServer | Server) => (server.address() as { port: number }).port;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-logs-kit-'));
  http = createHttpServer((request, response) => request.resume().on('end', () => response.end('{}')));
  tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).resume();
  });
  await Promise.all([
    new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve)),
    new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve)),
    new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve)),
  ]);
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' });
});
afterAll(async () => {
  http.closeAllConnections();
  http.close();
  for (const socket of sockets) socket.destroy();
  tcp.close();
  udp.close();
  await rm(folder, { recursive: true });
});

/** With a path for drivers that keep files, which the engine would give. */
function withPath(driver: LogDriver): LogDriver {
  const placed = (info: LogInfo) => ({
    ...info,
    logPath: join(folder, info.containerId, `${info.containerId}-json.log`),
  });
  const { read } = driver;
  return {
    validate: (options) => driver.validate(options),
    open: (info) => driver.open(placed(info)),
    ...(read === undefined ? {} : { read: (info, how, signal) => read(placed(info), how, signal) }),
  };
}

type Subject = readonly [name: string, make: () => LogDriver, options: () => Record<string, string>];
const subjects: readonly Subject[] = [
  ['json-file', () => withPath(makeJsonFileDriver(quiet)), () => ({ 'max-size': '1m', 'max-file': '3' })],
  ['local', () => withPath(makeLocalDriver(quiet)), () => ({})],
  ['syslog', makeSyslogDriver, () => ({ 'syslog-address': `tcp://127.0.0.1:${portOf(tcp)}` })],
  ['gelf', makeGelfDriver, () => ({ 'gelf-address': `udp://127.0.0.1:${udp.address().port}` })],
  ['fluentd', () => makeFluentdDriver(quiet), () => ({ 'fluentd-address': `127.0.0.1:${portOf(tcp)}` })],
  [
    'splunk',
    () => makeSplunkDriver(quiet),
    () => ({ 'splunk-url': `http://127.0.0.1:${portOf(http)}`, 'splunk-token': 'token' }),
  ],
  [
    'awslogs',
    () => makeAwsLogsDriver(quiet),
    () => ({ 'awslogs-group': 'g', 'awslogs-region': 'r', 'awslogs-endpoint': `http://127.0.0.1:${portOf(http)}` }),
  ],
  [
    'gcplogs',
    () =>
      makeGcpLogsDriver({
        log: quiet,
        endpoint: `http://127.0.0.1:${portOf(http)}`,
        access: async () => ({ project: 'p', token: async () => 'token' }),
      }),
    () => ({}),
  ],
  ...(existsSync(journal) ? [['journald', makeJournaldDriver, () => ({})] as const] : []),
];

/** JSON is text: what is none is replaced in a json-file, as dockerd does it. */
const textOnly = (name: string, id: string) => name === 'json-file' && id === 'log.read.bytes';
const failures = (name: string, results: readonly CaseResult[]) =>
  results.flatMap((result) =>
    result.outcome === 'failed' && !textOnly(name, result.id) ? [`${result.id}: ${result.reason}`] : [],
  );
const refusedOptions = { colour: 'red' };

describe.each(subjects)('the log driver %s', (name, make, options) => {
  test('keeps the rules of log drivers in process', async () => {
    const results = await runSuite(logDriverSuite, { driver: make(), options: options(), refusedOptions });
    expect(failures(name, results)).toEqual([]);
    expect(results.filter(({ outcome }) => outcome === 'passed').length).toBeGreaterThan(1);
  });

  test('keeps them behind a socket', async () => {
    const plugin = await serve({ drivers: { log: make() }, socketPath: join(folder, `${name}.sock`) });
    const client = connectJudgedPlugin({ address: plugin.address, timeoutMs: 10_000 });
    try {
      const driver = connectLogDriver(client, {
        fifoFolder: folder,
        showsLogPath: true,
        patience: { watchMs: 20, closeMs: 5000 },
      });
      const subject = { driver, client, options: options(), refusedOptions, fifoFolder: folder };
      expect(failures(name, await runSuite(logDriverSuite, subject))).toEqual([]);
    } finally {
      client.close();
      await plugin.close({ graceMs: 0 });
    }
  }, 30_000);
});

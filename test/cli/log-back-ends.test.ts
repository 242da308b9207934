import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeMultiStream, encode } from '@msgpack/msgpack';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { firstMiscount } from '../support/numbered-output';
import { freePort } from '../support/registry';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const lines = 10_000;
const folder = mkdtempSync(join(tmpdir(), 'gantry-back-ends-'));
const servers: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
let rsyslog: ChildProcess | undefined;
afterAll(async () => {
  for (const { server, sockets } of servers) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
  rsyslog?.kill('SIGKILL');
  if (rsyslog !== undefined) await once(rsyslog, 'exit');
  rmSync(folder, { recursive: true, force: true });
});

async function receive(take: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    take(socket.on('error', () => undefined));
  });
  servers.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

async function count(driver: string, options: Readonly<Record<string, string>>): Promise<void> {
  const flags = Object.entries(options).flatMap(([name, value]) => ['--log-opt', `${name}=${value}`]);
  await daemon().cli.ok(
    ...['run', '--rm', '--network', 'none', '--log-driver', driver, ...flags],
    ...['busybox', 'seq', '1', String(lines)],
  );
}

test('rsyslog writes every line, in order', async () => {
  const port = await freePort();
  const [config, log] = [join(folder, 'rsyslog.conf'), join(folder, 'received')];
  writeFileSync(
    config,
    `global(workDirectory="${folder}")
module(load="imtcp")
input(type="imtcp" address="127.0.0.1" port="${port}")
template(name="text" type="string" string="%msg%\\n")
action(type="omfile" file="${log}" template="text" flushOnTXEnd="on")
`,
  );
  rsyslog = spawn('rsyslogd', ['-n', '-f', config, '-i', join(folder, 'pid')], { stdio: 'ignore' });
  await eventually('rsyslog to listen', async () => {
    const probe = connect(port, '127.0.0.1');
    const isThere = await Promise.race([
      once(probe, 'connect').then(() => true),
      once(probe, 'error').then(() => false),
    ]).catch(() => false);
    probe.destroy();
    return isThere;
  });
  await count('syslog', { 'syslog-address': `tcp://127.0.0.1:${port}`, 'syslog-format': 'rfc5424' });
  const received = () =>
    readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.trim());
  await eventually('the last line', () => received().length >= lines, 20_000);
  expect(firstMiscount(received(), lines)).toBeUndefined();
}, 60_000);

test('a gelf receiver gets every line, in order', async () => {
  let text = '';
  const port = await receive((socket) => {
    socket.on('data', (chunk) => {
      text += chunk;
    });
  });
  await count('gelf', { 'gelf-address': `tcp://127.0.0.1:${port}` });
  const messages = () => text.split('\0').filter(Boolean);
  await eventually('the last line', () => messages().length >= lines, 20_000);
  expect(
    firstMiscount(
      messages().map((message) => JSON.parse(message).short_message),
      lines,
    ),
  ).toBeUndefined();
}, 60_000);

test('a receiver of fluentd’s protocol that acknowledges gets every line, in order', async () => {
  const received: string[] = [];
  const port = await receive((socket) => {
    // Acknowledged as they come: a client that hears nothing for long sends again.
    void (async () => {
      for await (const value of decodeMultiStream(socket)) {
        const [, , { log }, { chunk }] = value as [string, number, { log: string }, { chunk: string }];
        received.push(log);
        socket.write(encode({ ack: chunk }));
      }
    })().catch(() => undefined);
  });
  await count('fluentd', { 'fluentd-address': `127.0.0.1:${port}`, 'fluentd-request-ack': 'true' });
  await eventually('the last line', () => received.length >= lines, 20_000);
  expect(firstMiscount(received, lines)).toBeUndefined();
}, 60_000);

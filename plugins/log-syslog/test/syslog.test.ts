import { createSocket } from 'node:dgram';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import type { LogBatch, LogInfo, LogWriter } from '@gantry/sdk';
import { encodeMessage, parseFacility } from '../message-format';
import { makeSyslogDriver } from '../syslog-driver';

const driver = makeSyslogDriver();
const timeNs = BigInt(new Date(2024, 0, 2, 3, 4, 5).getTime()) * 1_000_000n + 123_456_789n;

const info = (options: Record<string, string>): LogInfo => ({
  containerId: 'c'.repeat(64),
  containerName: 'web',
  imageId: `sha256:${'b'.repeat(64)}`,
  imageName: 'busybox',
  entrypoint: 'sh',
  args: [],
  createdAt: new Date(0),
  env: [],
  labels: {},
  logPath: '',
  options,
});

const batch = (text: string, more: Partial<LogBatch> = {}): LogBatch => ({
  source: 'stdout',
  timeNs,
  data: Buffer.from(text),
  ...more,
});

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server that keeps what it gets. */
async function receiver() {
  const server: Server = createServer();
  const sockets: Socket[] = [];
  let text = '';
  let notice = () => {};
  server.on('connection', (socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      text += data;
      notice();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    /** Waits until the text holds what is given. */
    async until(part: string) {
      while (!text.includes(part))
        await new Promise<void>((resolve) => {
          notice = resolve;
        });
      return text;
    },
  };
}

async function send(writer: LogWriter, ...batches: LogBatch[]) {
  for (const one of batches) await writer.write(one);
}

test('over udp each line is a message with priority, time and tag', async () => {
  const socket = createSocket('udp4');
  closers.push(() => socket.close());
  const messages: string[] = [];
  const received = new Promise<void>((resolve) => {
    socket.on('message', (message) => {
      messages.push(message.toString());
      if (messages.length === 3) resolve();
    });
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const writer = await driver.open(
    info({ 'syslog-address': `udp://127.0.0.1:${socket.address().port}`, tag: '{{.Name}}' }),
  );
  await send(writer, batch('one\ntwo\n'), batch('bad\n', { source: 'stderr' }));
  await writer.close();
  await received;
  expect(messages).toEqual([
    `<30>Jan  2 03:04:05 web[${process.pid}]: one\n`,
    `<30>Jan  2 03:04:05 web[${process.pid}]: two\n`,
    `<27>Jan  2 03:04:05 web[${process.pid}]: bad\n`,
  ]);
});

test('over tcp messages follow each other, and a connection that broke is made anew', async () => {
  const server = await receiver();
  const writer = await driver.open(
    info({ 'syslog-address': `tcp://127.0.0.1:${server.port}`, 'syslog-facility': 'local7' }),
  );
  await send(writer, batch('one\n'));
  expect(await server.until('one\n')).toMatch(/^<190>/);
  server.sockets[0]!.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await send(writer, batch('two\n'));
  await server.until('two\n');
  expect(server.sockets).toHaveLength(2);
  await writer.close();
});

test('a server that is not there keeps the container from starting, by name', async () => {
  const server = await receiver();
  for (const close of closers.splice(0)) close();
  await expect(driver.open(info({ 'syslog-address': `tcp://127.0.0.1:${server.port}` }))).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining(`tcp://127.0.0.1:${server.port} cannot be reached`),
  });
});

test.each([
  ['rfc3164', /^<30>Jan {2}2 03:04:05 HOST web\[\d+\]: hi\n$/],
  ['rfc5424', /^<30>1 2024-01-02T03:04:05(Z|[+-]\d\d:\d\d) HOST web \d+ web - hi\n$/],
  ['rfc5424micro', /^<30>1 2024-01-02T03:04:05\.123456(Z|[+-]\d\d:\d\d) HOST web \d+ web - hi\n$/],
])('the format %s', (format, expected) => {
  const message = { facility: 3, source: 'stdout', timeNs, tag: 'web', text: Buffer.from('hi') } as const;
  const plain = encodeMessage(format, message, false).toString();
  expect(plain.replace(hostname(), 'HOST')).toMatch(expected);
  expect(encodeMessage(format, message, true).toString()).toBe(`${Buffer.byteLength(plain)} ${plain}`);
});

test.each([
  [{ 'syslog-address': 'ftp://x' }, 'syslog-address should be in form proto://address, got ftp://x'],
  [{ 'syslog-address': 'unix:///nowhere' }, 'stat /nowhere: no such file or directory'],
  [{ 'syslog-address': 'udp://x:0' }, 'syslog-address should be in form proto://host:port, got udp://x:0'],
  [{ 'syslog-address': 'udp://x', 'syslog-facility': 'nope' }, 'invalid syslog facility'],
  [{ 'syslog-address': 'udp://x', 'syslog-format': 'nope' }, 'Invalid syslog format'],
  [
    { 'syslog-address': 'tcp+tls://x', 'syslog-tls-ca-cert': '/nowhere' },
    /could not read syslog-tls-ca-cert "\/nowhere"/,
  ],
  [{ 'syslog-adress': 'udp://x' }, "unknown log opt 'syslog-adress' for syslog log driver"],
])('the options %j are refused', (options, message) => {
  expect(() => driver.validate(options as Record<string, string>)).toThrow(message);
});

test('facilities go by name and by number', () => {
  expect(['kern', 'local0', '23', undefined].map(parseFacility)).toEqual([0, 16, 23, 3]);
});

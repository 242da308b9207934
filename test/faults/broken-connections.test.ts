import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';

const daemon = daemonForSuite({ args: ['-H', 'tcp://127.0.0.1:0'] });

const post = (path: string, body = '', more: string[] = []) =>
  `${[`POST ${path} HTTP/1.1`, 'Host: x', 'Content-Type: application/json', `Content-Length: ${body.length}`, ...more].join('\r\n')}\r\n\r\n${body}`;
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const upload = (method: string, path: string) =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-tar\r\nContent-Length: 1000000\r\n\r\n${'\0'.repeat(1500)}`;
const upgrade = ['Connection: Upgrade', 'Upgrade: tcp'];
const webSocket = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
];

/** How a client goes: at which moment, and in which way. */
const ways = ['at once', 'after the head', 'after a while', 'ends its side, then goes'] as const;

async function leave(bytes: string, way: (typeof ways)[number]): Promise<void> {
  const port = await daemon().tcpPort();
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(bytes, 'latin1');
  if (way === 'after the head')
    await Promise.race([new Promise((resolve) => socket.once('data', resolve)), sleep(300)]);
  if (way === 'after a while') await sleep(60);
  if (way === 'ends its side, then goes') {
    socket.end();
    await sleep(60);
  }
  socket.resetAndDestroy();
}

const openFiles = () => readdirSync(`/proc/${daemon().pid}/fd`).length;
/** What the daemon's descriptors lead to, for the message. */
const openTargets = () =>
  readdirSync(`/proc/${daemon().pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${daemon().pid}/fd/${fd}`).replace(/:\[\d+\]/, '');
    } catch {
      return 'gone';
    }
  });
const listeners = async () => (await daemon().api.get('/info')).json().NEventsListener as number;

/** Command lines of the daemon's children, shims apart: those belong to containers. */
function helpers(): string[] {
  const { pid } = daemon();
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children
    .map((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').replaceAll('\0', ' '))
    .filter((line) => !/shim/.test(line));
}

test('clients that break off, whatever they asked for and whenever, leave nothing behind', async () => {
  const { api, cli } = daemon();
  await cli.ok('run', '-d', '--name', 'talks', 'busybox', 'sh', '-c', 'while :; do echo x; sleep 0.05; done');
  await cli.ok('run', '-d', '-i', '--name', 'listens', 'busybox', 'cat');
  const execOf = async () =>
    (await api.post('/containers/listens/exec', { Cmd: ['cat'], AttachStdin: true, AttachStdout: true })).json().Id;
  // Everything has been used once, so that what stays open is what stays open.
  await cli.ok('exec', 'listens', 'true');
  await api.get('/containers/talks/archive?path=/bin');
  const requests: (() => Promise<string> | string)[] = [
    () => get('/events'),
    () => get('/containers/talks/logs?follow=1&stdout=1'),
    () => get('/containers/talks/stats'),
    () => get('/containers/talks/archive?path=/bin'),
    () => get('/containers/talks/export'),
    () => get('/images/busybox/get'),
    () => post('/containers/talks/attach?stream=1&stdout=1&logs=1'),
    () => post('/containers/listens/attach?stream=1&stdin=1&stdout=1', '', upgrade),
    () =>
      `GET /containers/listens/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\n${webSocket.join('\r\n')}\r\n\r\n\x82\x05hello`,
    () => post('/containers/listens/wait'),
    async () => post(`/exec/${await execOf()}/start`, '{"Tty":false}', upgrade),
    async () => post(`/exec/${await execOf()}/start`, '{"Tty":true}'),
    () => upload('PUT', '/containers/talks/archive?path=/tmp'),
    () => upload('POST', '/images/load'),
    () => upload('POST', '/images/create?fromSrc=-'),
    () => upload('POST', '/build'),
    () => post('/containers/create', '{"Image":"busybox"').replace(/Content-Length: \d+/, 'Content-Length: 500'),
  ];
  const before = openFiles();
  const listening = await listeners();
  const helping = helpers().length;
  for (let round = 0; round < 2; round++)
    for (const way of ways)
      await Promise.all(
        requests.map(async (request) => {
          await leave(await request(), way);
        }),
      );
  await cli.ok('rm', '-f', 'talks', 'listens');
  await eventually('listeners to go', async () => (await listeners()) <= listening);
  await eventually(
    `open files to go down to ${before}`,
    () => {
      if (openFiles() <= before + 4) return true;
      throw new Error(`${openFiles()}: ${openTargets().sort().join(', ')}`);
    },
    20_000,
  );
  // No helper process is left waiting for a client that is gone.
  let extra: string[] = [];
  await eventually('helper processes to end', () => {
    extra = helpers();
    return extra.length <= helping;
  }).catch(() => expect(extra).toEqual([]));
  expect((await api.get('/containers/json?all=1')).json()).toEqual([]);
  expect(daemon().log).not.toMatch(/level=(fatal|panic)|uncaught|unhandled/i);
});

test('a client that does not read is waited for, and does not hold up the others', async () => {
  const { api, cli, socketPath } = daemon();
  await cli.ok('run', '-d', '--name', 'floods', 'busybox', 'sh', '-c', 'yes floods | head -c 8000000; sleep 60');
  const silent = net.connect(socketPath);
  silent.pause();
  silent.write(get('/containers/floods/logs?follow=1&stdout=1'));
  const attached = net.connect(socketPath);
  attached.pause();
  attached.write(post('/containers/floods/attach?stream=1&stdout=1&logs=1', '', upgrade));
  await eventually('the whole log', async () => (await api.get('/containers/floods/logs?stdout=1')).body.length > 8e6);
  expect(await cli.ok('exec', 'floods', 'echo', 'fine')).toBe('fine');
  silent.destroy();
  attached.destroy();
  await cli.ok('rm', '-f', 'floods');
});

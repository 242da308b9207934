import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectPlugin, noRetry, type PluginClient } from '../../client';
import { errorKind, errorMessage } from '../../errors';
import { serve } from '..';
import { type Exchange, readTranscript, writeTranscript } from './transcript';
import { lives, type Scene } from './transcript-scenes';

// GANTRY_RECORD=1 takes what is said now for what shall be said; dockerd 28.5.2 was the judge of the requests.
const records = process.env.GANTRY_RECORD === '1';
const folder = mkdtempSync(join(tmpdir(), 'gantry-transcripts-'));
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let serial = 0;
const newPath = () => join(folder, `${++serial}.sock`);
const timeless = (answer: string) => answer.replace(/^Date: .*$/m, 'Date: Fri, 02 Jan 2026 03:04:05 GMT');

/** Whether there is a whole message: by its length, or by its last chunk. */
function isWhole(message: string): boolean {
  const head = message.indexOf('\r\n\r\n');
  if (head < 0) return false;
  const length = /^content-length: (\d+)/im.exec(message.slice(0, head));
  return length ? message.length >= head + 4 + Number(length[1]) : message.endsWith('\r\n0\r\n\r\n');
}

/** A plugin that has its answers ready and keeps what it is sent, byte for byte. */
async function listen(answerTo: (request: string) => Promise<string>): Promise<string> {
  const path = newPath();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    let request = '';
    socket.on('error', () => {});
    socket.on('data', async (chunk) => {
      request += chunk.toString('latin1');
      if (!isWhole(request)) return;
      const whole = request;
      request = '';
      socket.write(await answerTo(whole), 'latin1');
    });
  }).listen(path);
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

/** Sends bytes and gives the bytes that come back. */
async function ask(path: string, request: string): Promise<string> {
  const socket = createConnection(path);
  let answer = '';
  socket.write(request, 'latin1');
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    answer += chunk.toString('latin1');
    if (isWhole(answer)) break;
  }
  return answer;
}

async function outcomeOf(call: Scene[1], client: PluginClient): Promise<string> {
  const result = await call(client).then(
    (value) => (value === undefined ? 'done' : value),
    (error) => ({ error: errorKind(error), message: errorMessage(error).replaceAll(client.address, 'ADDRESS') }),
  );
  return JSON.stringify(result);
}

const connect = (path: string) => {
  const client = connectPlugin({ name: 'acme', address: path, retry: noRetry });
  closers.push(() => client.close());
  return client;
};
async function serveLife(kind: string): Promise<string> {
  const path = newPath();
  const served = await serve({ drivers: lives[kind]!().drivers, socketPath: path });
  closers.push(() => served.close({ graceMs: 0 }));
  return path;
}

describe.each(Object.keys(lives))('the transcript of %s', (kind) => {
  const { scenes } = lives[kind]!();

  if (records)
    test('is recorded', async () => {
      const served = await serveLife(kind);
      const exchanges: Exchange[] = [];
      let last = { request: '', answer: '' };
      const client = connect(
        await listen(async (request) => {
          last = { request, answer: timeless(await ask(served, request)) };
          return last.answer;
        }),
      );
      for (const [title, call] of scenes) {
        const outcome = await outcomeOf(call, client);
        exchanges.push({ title, ...last, outcome });
      }
      writeTranscript(kind, exchanges);
    });

  test('is what the engine sends, and it understands the answers so', async () => {
    const golden = readTranscript(kind);
    const answers = new Map(golden.map(({ request, answer }) => [request, answer]));
    let sent = '';
    const client = connect(
      await listen(async (request) => {
        sent = request;
        return answers.get(request) ?? 'HTTP/1.1 418 Not In The Transcript\r\nContent-Length: 0\r\n\r\n';
      }),
    );
    const said: object[] = [];
    for (const [title, call] of scenes) {
      const outcome = await outcomeOf(call, client);
      said.push({ title, request: sent, outcome });
    }
    expect(said).toEqual(golden.map(({ title, request, outcome }) => ({ title, request, outcome })));
  });

  test('is what a plugin made with serve answers', async () => {
    const path = await serveLife(kind);
    for (const { title, request, answer } of readTranscript(kind))
      expect({ title, answer: timeless(await ask(path, request)) }).toEqual({ title, answer });
  });
});

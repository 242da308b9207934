import { closeSync, constants, openSync, readdirSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectLogDriver, connectPlugin, noRetry } from '../../client';
import { LogFifo } from '../../client/log-fifo';
import type { LogBatch, LogDriver, LogEntry, LogInfo } from '../../contracts/log-driver';
import { conflict, invalidParameter } from '../../errors';
import { encodeLogBatch, LogEntryDecoder } from '../../wire';
import { type ServedPlugin, serve } from '..';

let folder: string;
let fifoFolder: string;
const ends: (() => unknown)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-log-'));
  fifoFolder = join(folder, 'logging');
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await rm(folder, { recursive: true });
});

const info: LogInfo = {
  containerId: 'c'.repeat(64),
  containerName: 'web',
  imageId: 'sha256:1',
  imageName: 'busybox',
  entrypoint: 'sh',
  args: ['-c', 'true'],
  createdAt: new Date(1_700_000_000_000),
  env: ['A=b'],
  labels: { tier: 'front' },
  logPath: '/x',
  options: { topic: 'web' },
};
const lines = (text: string, timeNs = 5n): LogBatch => ({ source: 'stdout', timeNs, data: Buffer.from(text) });

/** Keeps what it is told, as long as the object lives. */
class Memory implements LogDriver {
  readonly entries: LogEntry[] = [];
  readonly infos: LogInfo[] = [];
  readonly partials: (LogBatch['partial'] | undefined)[] = [];
  closed = 0;
  hold: Promise<void> | undefined;
  validate(options: Readonly<Record<string, string>>) {
    if (options.colour !== undefined) throw invalidParameter('no option "colour"');
  }
  async open(opened: LogInfo) {
    this.infos.push(opened);
    return {
      write: ({ source, timeNs, data, partial }: LogBatch) => {
        this.entries.push({ source, timeNs, line: Buffer.from(data) });
        this.partials.push(partial);
        return this.hold;
      },
      flush: async () => undefined,
      close: async () => void this.closed++,
    };
  }
  async *read(_info: LogInfo, { tail }: { tail?: number }) {
    if (tail === 13) throw conflict('not thirteen');
    yield tail === undefined ? this.entries : this.entries.slice(-tail);
  }
  get text() {
    return this.entries.map(({ line }) => line.toString()).join('');
  }
}

async function serveLog(log: LogDriver): Promise<ServedPlugin> {
  const served = await serve({ drivers: { log }, socketPath: join(folder, 'x.sock') });
  ends.push(() => served.close({ graceMs: 0 }));
  return served;
}

function driver(patience = { watchMs: 20, closeMs: 5000, awayMs: 5000 }): LogDriver {
  const client = connectPlugin({ name: 'x', address: join(folder, 'x.sock'), retry: noRetry });
  ends.push(() => client.close());
  return connectLogDriver(client, { fifoFolder, patience });
}

/** What a FIFO holds now. */
function readPresent(fd: number): Buffer {
  const buffer = Buffer.alloc(4096);
  try {
    return buffer.subarray(0, readSync(fd, buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return Buffer.alloc(0);
    throw error;
  }
}

async function until(what: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const readAll = async (from: LogDriver, how: Parameters<NonNullable<LogDriver['read']>>[1]) => {
  const texts: string[] = [];
  for await (const entries of from.read!(info, how, new AbortController().signal))
    texts.push(...entries.map(({ line }) => line.toString()));
  return texts;
};

test('what a container prints reaches a served driver whole and in order, and can be read back', async () => {
  const memory = new Memory();
  await serveLog(memory);
  const remote = driver();
  const writer = await remote.open(info);
  const big = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('');
  await writer.write(lines(big));
  await writer.write({ ...lines('half'), partial: { id: 'p', ordinal: 1, last: false } });
  await writer.write({ ...lines('done\n', 9n), partial: { id: 'p', ordinal: 2, last: true } });
  expect(readdirSync(fifoFolder)).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  await writer.close();
  expect(memory.text).toBe(`${big}halfdone\n`);
  expect(memory.partials.slice(-2)).toEqual([
    { id: 'p', ordinal: 1, last: false },
    { id: 'p', ordinal: 2, last: true },
  ]);
  // Where a file would be is nobody's business behind a socket, as with dockerd.
  expect(memory.infos).toEqual([{ ...info, logPath: '' }]);
  expect(memory.closed).toBe(1);
  expect(readdirSync(fifoFolder)).toEqual([]);

  expect(await remote.capabilities!()).toEqual({ readLogs: true });
  expect((await readAll(remote, { follow: false })).join('')).toBe(memory.text);
  expect(await readAll(remote, { follow: true, tail: 2 })).toEqual(['half', 'done\n']);
  expect(await readAll(remote, { follow: false, sinceNs: 6n })).toEqual(['done\n']);
  expect(await readAll(remote, { follow: false, untilNs: 8n, tail: 2 })).toEqual(['half']);
  await expect(readAll(remote, { follow: false, tail: 13 })).rejects.toThrow('LogDriver.ReadLogs: not thirteen');
});

test('a driver that cannot read back says so', async () => {
  const memory = new Memory();
  await serveLog({ validate: () => undefined, open: (of) => memory.open(of) });
  expect(await driver().capabilities!()).toEqual({ readLogs: false });
});

test('an option the driver refuses keeps the container from starting, and leaves no FIFO', async () => {
  await serveLog(new Memory());
  await expect(driver().open({ ...info, options: { colour: 'red' } })).rejects.toThrow(
    /^error creating logger: .*no option "colour"/,
  );
  expect(readdirSync(fifoFolder)).toEqual([]);
});

test('a slow driver holds the container back, and loses nothing', async () => {
  const memory = new Memory();
  await serveLog(memory);
  const writer = await driver().open(info);
  let release!: () => void;
  memory.hold = new Promise((resolve) => {
    release = resolve;
  });
  const block = lines(`${'x'.repeat(999)}\n`.repeat(1000));
  let taken = false;
  const writing = Promise.resolve(writer.write(block)).then(() => {
    taken = true;
  });
  await until(() => memory.entries.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(taken).toBe(false);
  memory.hold = undefined;
  release();
  await writing;
  await writer.close();
  expect(memory.text.length).toBe(1_000_000);
});

/** A plugin of somebody else's that takes its time: it only answers, reading is up to the test. */
async function rawPlugin(): Promise<{ calls: string[]; file: () => string; end: () => Promise<void> }> {
  const calls: string[] = [];
  let file = '';
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    calls.push(request.url!.slice('/LogDriver.'.length));
    if (body !== '') file = (JSON.parse(body) as { File: string }).File;
    response.end('{}');
  });
  await new Promise<void>((done) => server.listen(join(folder, 'x.sock'), done));
  const end = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  ends.push(end);
  return { calls, file: () => file, end };
}

test('a plugin that reads single bytes, dies in the middle of an entry and comes back misses only that entry', async () => {
  const first = await rawPlugin();
  const writer = await driver().open(info);
  expect(first.calls).toEqual(['Capabilities', 'StartLogging']);
  let fd = openSync(first.file(), constants.O_RDONLY | constants.O_NONBLOCK);
  await writer.write(lines('one\ntwo\nthree\n'));
  const oneFrame = encodeLogBatch(lines('one\n')).length;
  const decoder = new LogEntryDecoder();
  const byte = Buffer.alloc(1);
  const seen: string[] = [];
  for (let i = 0; i < oneFrame + 3; i++) {
    readSync(fd, byte);
    seen.push(...decoder.push(Buffer.from(byte)).map(({ line }) => line.toString()));
  }
  expect(seen).toEqual(['one']);
  await first.end();
  closeSync(fd);
  await writer.write(lines('four\n'));

  const second = await rawPlugin();
  await until(() => second.calls.includes('StartLogging'));
  expect(second.file()).toBe(first.file());
  fd = openSync(second.file(), constants.O_RDONLY | constants.O_NONBLOCK);
  const rest = new LogEntryDecoder();
  const kept: string[] = [];
  await until(() => {
    kept.push(...rest.push(readPresent(fd)).map(({ line }) => line.toString()));
    return kept.length >= 2;
  });
  expect(kept).toEqual(['three', 'four']);
  await writer.close();
  expect(second.calls.at(-1)).toBe('StopLogging');
  closeSync(fd);
});

test('a plugin that never comes back holds the container back, and its end only for a while', async () => {
  const plugin = await rawPlugin();
  const writer = await driver({ watchMs: 20, closeMs: 5000, awayMs: 100 }).open(info);
  await plugin.end();
  const waiting = writer.write(lines(`${'x'.repeat(999)}\n`.repeat(200)));
  expect(waiting).toBeInstanceOf(Promise);
  await expect(writer.close()).rejects.toThrow(/log plugin "x" did not finish the log of container ccc/);
  await waiting;
  expect(readdirSync(fifoFolder)).toEqual([]);
});

test('a FIFO knows whether somebody reads it', async () => {
  const fifo = await LogFifo.make(fifoFolder);
  fifo.write(Buffer.from('kept'));
  await fifo.written();
  expect(fifo.hasReader()).toBe(false);
  const fd = openSync(fifo.path, constants.O_RDONLY | constants.O_NONBLOCK);
  expect(fifo.hasReader()).toBe(true);
  expect(fifo.empty).toBe(false);
  const chunk = Buffer.alloc(10);
  expect(chunk.subarray(0, readSync(fd, chunk)).toString()).toBe('kept');
  expect(fifo.empty).toBe(true);
  closeSync(fd);
  expect(fifo.hasReader()).toBe(false);
  fifo.close();
});

test('options of the engine are shown to the plugin, and kept from a driver that is served', async () => {
  const memory = new Memory();
  await serveLog(memory);
  const deliveryOptions = { mode: 'non-blocking', 'max-buffer-size': '2m' };
  const writer = await driver().open({ ...info, deliveryOptions });
  await writer.close();
  expect(memory.infos).toEqual([{ ...info, logPath: '', deliveryOptions }]);
});

import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogBatch, LogInfo } from '../../contracts/log-driver';
import { LogEntryDecoder } from '../../wire';
import { connectLogDriver } from '../log-driver';
import { LogFifo } from '../log-fifo';
import { RemoteLogWriter } from '../log-writer';
import type { PluginClient } from '../plugin-client';

const info: LogInfo = {
  containerId: 'c',
  containerName: 'c',
  imageId: '',
  imageName: '',
  entrypoint: '',
  args: [],
  createdAt: new Date(0),
  env: [],
  labels: {},
  logPath: '',
  options: {},
};
const line = (text: string): LogBatch => ({ source: 'stdout', timeNs: 1n, data: Buffer.from(`${text}\n`) });

/** A plugin whose answers the test gives, call by call. */
function plugin() {
  const answers: ((error?: Error) => void)[] = [];
  const asked: (() => void)[] = [];
  const client = {
    name: 'diary',
    call: () =>
      new Promise<void>((resolve, reject) => {
        answers.push((error) => (error ? reject(error) : resolve()));
        for (const tell of asked.splice(0)) tell();
      }),
  } as unknown as PluginClient;
  const called = () => (answers.length > 0 ? Promise.resolve() : new Promise<void>((resolve) => asked.push(resolve)));
  return { client, called, answer: (error?: Error) => answers.shift()!(error) };
}

interface Fixture extends Pick<ReturnType<typeof plugin>, 'called' | 'answer'> {
  readonly writer: RemoteLogWriter;
  readonly fifo: LogFifo;
}

/** @param watchMs how often it looks whether it is read */
async function withWriter(watchMs: number, work: (fixture: Fixture) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-log-writer-'));
  const fifo = await LogFifo.make(folder);
  const { client, called, answer } = plugin();
  const patience = { watchMs, closeMs: 200, awayMs: 100 };
  const writer = new RemoteLogWriter(client, info, 'd', fifo, patience, undefined);
  try {
    await work({ writer, fifo, called, answer });
  } finally {
    const closed = writer.close().catch(() => undefined);
    await called();
    answer();
    await closed;
    await rm(folder, { recursive: true, force: true });
  }
}

test('what is written while a plugin’s return fails comes behind what waited for it', () =>
  withWriter(20, async ({ writer, fifo, called, answer }) => {
    await writer.write(line('one'));
    await called();
    const second = writer.write(line('two'));
    answer(new Error('it did not answer in time'));
    await second;
    // It has begun to read all the same.
    const read: string[] = [];
    const entries = new LogEntryDecoder();
    const stream = createReadStream(fifo.shownPath);
    await new Promise<void>((resolve) => {
      stream.on('data', (chunk) => {
        for (const entry of entries.push(chunk as Buffer)) read.push(String(entry.line));
        if (read.length === 2) resolve();
      });
    });
    stream.destroy();
    expect(read.map((text) => text.trim())).toEqual(['one', 'two']);
  }));

test('what is written while a plugin is told again is given back behind what waited for it', () =>
  withWriter(20, async ({ writer, fifo, called, answer }) => {
    await writer.write(line('one'));
    await called();
    const second = writer.write(line('two'));
    const back = await writer.takeBack();
    expect(back.map(({ data }) => String(data))).toEqual(['one\n', 'two\n']);
    answer();
    await second;
    // Whoever took it back sends it again.
    expect(fifo.empty).toBe(true);
  }));

test('what is written while a writer takes back what is unread is given back too, and nothing is left', () =>
  withWriter(60_000, async ({ writer, fifo, called, answer }) => {
    await writer.write(line('one'));
    while (!writer.isAway) await new Promise((resolve) => setTimeout(resolve, 20));
    const taking = writer.takeBack();
    void writer.write(line('two'));
    expect((await taking).map(({ data }) => String(data))).toEqual(['one\n', 'two\n']);
    expect(fifo.empty).toBe(true);
  }));

test('a plugin that takes its time to end a log is not asked what it has before it is done', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-log-writer-'));
  const calls: string[] = [];
  const fifos: string[] = [];
  let stopped = () => {};
  const client = {
    name: 'diary',
    async call({ method, body }: { method: string; body?: { File: string } }) {
      calls.push(method);
      if (method === 'LogDriver.Capabilities') return { Cap: { ReadLogs: true } };
      if (method === 'LogDriver.StartLogging') fifos.push(body!.File);
      if (method === 'LogDriver.StopLogging' && fifos.length === 1)
        await new Promise<void>((resolve) => {
          stopped = resolve;
        });
      return {};
    },
    async stream() {
      calls.push('LogDriver.ReadLogs');
      return (async function* () {})();
    },
  } as unknown as PluginClient;
  const driver = connectLogDriver(client, { fifoFolder: folder });
  try {
    const writer = await driver.open(info);
    const reading = createReadStream(fifos[0]!).resume();
    await writer.write(line('one'));
    await expect(writer.close()).rejects.toThrow('did not finish the log');
    reading.destroy();
    const opening = driver.open(info);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(calls).not.toContain('LogDriver.ReadLogs');
    stopped();
    const next = await opening;
    expect(calls).toContain('LogDriver.ReadLogs');
    createReadStream(fifos[1]!).resume();
    await next.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

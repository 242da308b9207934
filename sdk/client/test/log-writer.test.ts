import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogBatch, LogInfo } from '../../contracts/log-driver';
import { LogEntryDecoder } from '../../wire';
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

test('what is written while a plugin’s return fails comes behind what waited for it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-log-writer-'));
  const fifo = await LogFifo.make(folder);
  const { client, called, answer } = plugin();
  const patience = { watchMs: 20, closeMs: 200, awayMs: 100 };
  const writer = new RemoteLogWriter(client, info, 'd', fifo, patience, undefined);
  try {
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
  } finally {
    const closed = writer.close().catch(() => undefined);
    await called();
    answer();
    await closed;
    await rm(folder, { recursive: true, force: true });
  }
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogBatch, LogDriver, LogInfo, LogReadOptions } from '@gantry/sdk';
import { connectLogDriver, connectPlugin, type PluginClient } from '@gantry/sdk/client';
import { type ServedPlugin, serve } from '@gantry/sdk/serve';
import { openDiaryLogs } from '../diary-logs';

let folder: string;
let served: ServedPlugin;
let client: PluginClient;
let driver: LogDriver;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-diary-'));
  await start();
  client = connectPlugin({ name: 'diary', address: served.address });
  driver = connectLogDriver(client, { fifoFolder: join(folder, 'logging'), patience: { watchMs: 20 } });
});
afterEach(async () => {
  client.close();
  await served.close({ graceMs: 0 });
  await rm(folder, { recursive: true });
});

async function start(): Promise<void> {
  served = await serve({
    drivers: { log: await openDiaryLogs(join(folder, 'diaries')) },
    socketPath: join(folder, 'diary.sock'),
  });
}

const info = (options: Record<string, string> = {}): LogInfo => ({
  containerId: 'talk',
  containerName: 'talk',
  imageId: '',
  imageName: '',
  entrypoint: '',
  args: [],
  createdAt: new Date(0),
  env: [],
  labels: {},
  logPath: '',
  options,
});
const lines = (text: string, timeNs = 1n): LogBatch => ({ source: 'stdout', timeNs, data: Buffer.from(text) });

async function read(how: LogReadOptions, onEach?: (text: string) => unknown): Promise<string> {
  let text = '';
  for await (const entries of driver.read!(info(), how, new AbortController().signal)) {
    const more = entries.map(({ line }) => line.toString()).join('');
    text += more;
    await onEach?.(more);
  }
  return text;
}

test('lines are kept, blackened as asked, and read back by number and time', async () => {
  const writer = await driver.open(info({ redact: 'secret' }));
  await writer.write(lines('a secret\n\ntwo\n'));
  await writer.write(lines('three\n', 7n));
  await writer.close();
  expect(await read({ follow: false })).toBe('a ██████\n\ntwo\nthree\n');
  expect(await read({ follow: false, tail: 2 })).toBe('two\nthree\n');
  expect(await read({ follow: false, sinceNs: 2n })).toBe('three\n');
});

test('who follows gets what comes, and is let go when the container ends', async () => {
  const writer = await driver.open(info());
  await writer.write(lines('first\n'));
  await writer.flush();
  const seen: string[] = [];
  const text = await read({ follow: true }, async (more) => {
    seen.push(more);
    if (seen.length > 1) return;
    await writer.write(lines('second\n'));
    void writer.close();
  });
  expect(text).toBe('first\nsecond\n');
});

test('an unknown option is refused by name', async () => {
  await expect(driver.open(info({ colour: 'red' }))).rejects.toThrow("unknown log opt 'colour' for the diary");
});

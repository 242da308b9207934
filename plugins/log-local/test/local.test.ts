import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogBatch, LogDriver, LogEntry, Logger, LogInfo, LogReadOptions } from '@gantry/sdk';
import { makeLocalDriver } from '../local-driver';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const never = new AbortController().signal;
const timeNs = 1_704_164_645_120_000_000n;

let directory: string;
let driver: LogDriver;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-local-log-'));
  driver = makeLocalDriver(quiet);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const info = (options: Record<string, string> = {}): LogInfo => ({
  containerId: 'a'.repeat(64),
  containerName: 'web',
  imageId: `sha256:${'b'.repeat(64)}`,
  imageName: 'busybox:latest',
  entrypoint: 'sh',
  args: [],
  createdAt: new Date(0),
  env: [],
  labels: {},
  logPath: join(directory, 'c-json.log'),
  options,
});

const folder = () => join(directory, 'local-logs');

async function write(batches: readonly Partial<LogBatch>[], options: Record<string, string> = {}): Promise<void> {
  const writer = await driver.open(info(options));
  for (const some of batches) await writer.write({ source: 'stdout', timeNs, data: Buffer.alloc(0), ...some });
  await writer.close();
}

async function readAll(options: Partial<LogReadOptions> = {}): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const some of driver.read!(info(), { follow: false, ...options }, never)) entries.push(...some);
  return entries;
}

test('a line stands in the file as dockerd writes it', async () => {
  await write([{ data: Buffer.from('hi\n') }]);
  const entry = Buffer.concat([
    Buffer.from([0x0a, 6]),
    Buffer.from('stdout'),
    Buffer.from([0x10, 0x80, 0x80, 0xa1, 0xb9, 0xf3, 0x96, 0x9a, 0xd3, 0x17]),
    Buffer.from([0x1a, 2]),
    Buffer.from('hi'),
  ]);
  const length = Buffer.from([0, 0, 0, entry.length]);
  expect(await readFile(join(folder(), 'container.log'))).toEqual(Buffer.concat([length, entry, length]));
});

test('what was written is read back: both streams, times, empty and odd lines, long lines in pieces', async () => {
  const partial = { id: 'x', ordinal: 1, last: false };
  const big = Buffer.alloc(16 * 1024, 'y');
  await write([
    { data: Buffer.from('one\n\nthree \x00 \xff\n', 'latin1') },
    { data: Buffer.from('err\n'), source: 'stderr', timeNs: timeNs + 1n },
    { data: big, partial },
    { data: Buffer.from('end\n'), partial: { ...partial, ordinal: 2, last: true } },
  ]);
  const entries = await readAll();
  expect(entries.map(({ line }) => line)).toEqual([
    Buffer.from('one\n'),
    Buffer.from('\n'),
    Buffer.from('three \x00 \xff\n', 'latin1'),
    Buffer.from('err\n'),
    big,
    Buffer.from('end\n'),
  ]);
  expect(entries.map(({ source }) => source)).toEqual(['stdout', 'stdout', 'stdout', 'stderr', 'stdout', 'stdout']);
  expect(entries.map((entry) => entry.timeNs - timeNs)).toEqual([0n, 0n, 0n, 1n, 0n, 0n]);
  expect((await readAll({ sinceNs: timeNs + 1n })).map(({ line }) => line.toString())).toEqual(['err\n']);
});

test('full files are compressed unless that is switched off, and removed with the log', async () => {
  const lines = Array.from({ length: 60 }, (_, i) => ({ data: Buffer.from(`line ${i}\n`) }));
  await write(lines, { 'max-size': '1k', 'max-file': '9' });
  expect((await readdir(folder())).sort()).toEqual(['container.log', 'container.log.1.gz', 'container.log.2.gz']);
  expect((await readAll()).map(({ line }) => line.toString())).toEqual(lines.map(({ data }) => data.toString()));
  expect(await readAll({ tail: 40 })).toHaveLength(40);
  await driver.remove!(info());
  await driver.remove!(info());
  expect(await readdir(directory)).toEqual([]);
  await write(lines, { 'max-size': '1k', compress: 'false' });
  expect((await readdir(folder())).sort()).toEqual(['container.log', 'container.log.1', 'container.log.2']);
});

test.each([
  [{ nope: '1' }, "unknown log opt 'nope' for log driver local"],
  [{ labels: 'a' }, "unknown log opt 'labels' for log driver local"],
  [{ tag: 'a' }, "unknown log opt 'tag' for log driver local"],
  [{ 'max-size': '0' }, 'max-size must be a positive number'],
  [{ 'max-file': '0' }, 'max-file cannot be less than 1'],
  [{ compress: 'perhaps' }, 'strconv.ParseBool: parsing "perhaps": invalid syntax'],
])('the options %j are refused', (options, message) => {
  expect(() => driver.validate(options as Record<string, string>)).toThrow(message);
});

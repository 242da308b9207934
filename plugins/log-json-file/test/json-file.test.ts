import { readFileSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogDriver, LogEntry, Logger, LogInfo, LogReadOptions, LogSource } from '@gantry/sdk';
import { makeJsonFileDriver } from '../json-file-driver';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const never = new AbortController().signal;
const timeNs = 1_704_164_645_120_000_000n;

let directory: string;
let driver: LogDriver;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-json-file-'));
  driver = makeJsonFileDriver(quiet);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const info = (options: Record<string, string> = {}, more: Partial<LogInfo> = {}): LogInfo => ({
  containerId: 'a'.repeat(64),
  containerName: 'web',
  imageId: `sha256:${'b'.repeat(64)}`,
  imageName: 'busybox:latest',
  entrypoint: 'sh',
  args: ['-c', 'true'],
  createdAt: new Date(0),
  env: ['COLOUR=red', 'SHAPE=round'],
  labels: { team: 'a<b', other: 'x' },
  logPath: join(directory, 'c-json.log'),
  options,
  ...more,
});

const batch = (text: string | Buffer, source: LogSource = 'stdout', time = timeNs) => ({
  source,
  timeNs: time,
  data: Buffer.from(text as string),
});

async function written(data: string | Buffer, options: Record<string, string> = {}): Promise<string> {
  const writer = await driver.open(info(options));
  await writer.write(batch(data));
  await writer.close();
  return readFile(info().logPath, 'utf8');
}

async function readEntries(options: Partial<LogReadOptions> = {}, from = info()): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const some of driver.read!(from, { follow: false, ...options }, never)) entries.push(...some);
  return entries;
}

const lines = async (options: Partial<LogReadOptions> = {}) =>
  (await readEntries(options)).map(({ line }) => line.toString());

test.each<[string, string | Buffer, string]>([
  ['plain text', 'hello\n', 'hello\\n'],
  ['quotes and backslashes', 'say "a\\b"\n', 'say \\"a\\\\b\\"\\n'],
  ['what HTML would read', '<a href=x>&\n', '\\u003ca href=x\\u003e\\u0026\\n'],
  ['control characters', 'a\tb\rc\x1b[0m\x00\x7f\n', 'a\\u0009b\\rc\\u001b[0m\\u0000\x7f\\n'],
  ['other scripts', 'grün 日本 🎉\n', 'grün 日本 🎉\\n'],
  ['line separators', 'a\u2028b\u2029\n', 'a\\u2028b\\u2029\\n'],
  [
    'bytes that are no UTF-8',
    Buffer.from([0x61, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0x0a]),
    'a\\ufffd\\ufffd(\\ufffd\\ufffd\\n',
  ],
  ['a true replacement character', '\ufffd\n', '\ufffd\\n'],
  ['a replacement character beside a broken byte', Buffer.from([0xef, 0xbf, 0xbd, 0x80, 0x0a]), '\ufffd\\ufffd\\n'],
  ['a line without its end', 'partial', 'partial'],
  ['an empty line', '\n', '\\n'],
])('%s is written as dockerd writes it', async (_what, data, expected) => {
  expect(await written(data)).toBe(`{"log":"${expected}","stream":"stdout","time":"2024-01-02T03:04:05.12Z"}\n`);
  const [entry] = await readEntries();
  const text = Buffer.from(data as string).toString();
  // What a broken byte was is not kept.
  if (!/ufffd/.test(expected)) expect(entry!.line.toString()).toBe(text);
  expect(entry).toMatchObject({ source: 'stdout', timeNs });
});

test('a batch becomes one object per line, with the same time', async () => {
  const text = await written('one\ntwo "2"\n\nthree\n');
  expect(text.split('\n')).toHaveLength(5);
  expect(await lines()).toEqual(['one\n', 'two "2"\n', '\n', 'three\n']);
});

test.each([
  [1_704_164_645_000_000_000n, '2024-01-02T03:04:05Z'],
  [1_704_164_645_000_000_001n, '2024-01-02T03:04:05.000000001Z'],
  [1_704_164_645_100_200_300n, '2024-01-02T03:04:05.1002003Z'],
])('the time %s is %s and read back the same', async (time, text) => {
  const writer = await driver.open(info());
  await writer.write(batch('x\n', 'stderr', time));
  await writer.close();
  expect(JSON.parse(await readFile(info().logPath, 'utf8'))).toEqual({ log: 'x\n', stream: 'stderr', time: text });
  expect(await readEntries()).toMatchObject([{ source: 'stderr', timeNs: time }]);
});

test('labels, environment and tag that were asked for are kept beside each line', async () => {
  const options = { labels: 'team,absent', 'env-regex': '^COL', tag: '{{.Name}}/{{upper .ID}}' };
  const text = await written('x\n', options);
  expect(text).toContain(
    '"stream":"stdout","attrs":{"COLOUR":"red","tag":"web/AAAAAAAAAAAA","team":"a\\u003cb"},"time":',
  );
  expect(await readEntries()).toMatchObject([
    { attributes: { COLOUR: 'red', tag: 'web/AAAAAAAAAAAA', team: 'a<b' }, timeNs },
  ]);
});

test.each([
  [{ nope: '1' }, "unknown log opt 'nope' for json-file log driver"],
  [{ 'max-size': 'big' }, "invalid size: 'big'"],
  [{ 'max-size': '0' }, 'max-size must be a positive number'],
  [{ 'max-file': '0' }, 'max-file cannot be less than 1'],
  [{ 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
  [{ compress: 'true' }, 'compress cannot be true when max-file is less than 2 or max-size is not set'],
  [{ tag: '{{.Nope}}' }, /\{\{\.Nope\}\}/],
])('the options %j are refused', (options, message) => {
  expect(() => driver.validate(options as Record<string, string>)).toThrow(message);
});

test('the log and its rotated files are made with dockerd’s mode and removed together', async () => {
  const writer = await driver.open(info({ 'max-size': '100', 'max-file': '3' }));
  for (let i = 0; i < 10; i++) await writer.write(batch(`line ${i}\n`));
  await writer.close();
  expect((await stat(info().logPath)).mode & 0o777).toBe(0o640);
  expect((await readdir(directory)).sort()).toEqual(['c-json.log', 'c-json.log.1', 'c-json.log.2']);
  await driver.remove!(info());
  await driver.remove!(info());
  expect(await readdir(directory)).toEqual([]);
});

test('a line broken by a crash is cut off, and one in the middle is skipped', async () => {
  await written('one\n');
  await appendFile(info().logPath, '{"log":"bro\n');
  await written('two\n');
  await appendFile(info().logPath, '{"log":"half of a li');
  expect(await lines()).toEqual(['one\n', 'two\n']);
  await written('three\n');
  expect(await lines()).toEqual(['one\n', 'two\n', 'three\n']);
  expect(await readFile(info().logPath, 'utf8')).not.toContain('half');
});

test('lines that others wrote in their own way are read as well', async () => {
  await writeFile(
    info().logPath,
    [
      '{"time":"2024-01-02T03:04:05.12+00:00","stream":"stderr","log":"a\\ud83c\\udf89\\/\\n"}',
      '{"log":"say \\"hi\\"","more":"x","stream":"stdout","time":"2024-01-02T03:04:05.12Z"}',
      'no json at all',
      '{"log":"\\t\\u00e9\\n","stream":"stdout","time":"2024-01-02T03:04:05.12Z"}',
      '',
    ].join('\n'),
  );
  expect(await readEntries()).toMatchObject([
    { source: 'stderr', timeNs, line: Buffer.from('a🎉/\n') },
    { source: 'stdout', timeNs, line: Buffer.from('say "hi"') },
    { source: 'stdout', timeNs, line: Buffer.from('\té\n') },
  ]);
});

test('small output is in the file when write returns, so that a killed daemon has not lost it', async () => {
  const writer = await driver.open(info());
  writer.write({ source: 'stdout', timeNs, data: Buffer.from('paid\n') });
  expect(readFileSync(info().logPath, 'utf8')).toContain('"log":"paid\\n"');
  await writer.close();
});

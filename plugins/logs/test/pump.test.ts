import { PassThrough } from 'node:stream';
import type { DriverSet, LogBatch, LogDriver, Logger, LogInfo, LogWriter } from '@gantry/sdk';
import { notFound } from '@gantry/sdk';
import { makeLogManager } from '../log-manager';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

/** A driver that keeps batches, and takes its time when told to. */
class Recorder implements LogDriver, LogWriter {
  readonly batches: LogBatch[] = [];
  closed = false;
  hold: Promise<void> | undefined;
  validate() {}
  async open() {
    return this;
  }
  write(batch: LogBatch) {
    this.batches.push({ ...batch, data: Buffer.from(batch.data) });
    return this.hold;
  }
  async flush() {}
  async close() {
    this.closed = true;
  }
  text(source = 'stdout') {
    return this.batches
      .filter((batch) => batch.source === source)
      .map(({ data }) => data.toString())
      .join('');
  }
}

function managerWith(driver: LogDriver) {
  const drivers: DriverSet<LogDriver> = {
    names: () => ['recorder'],
    get: (name) => (name === 'recorder' ? driver : undefined),
    nameOf: (name) => name,
    resolve: (name) => Promise.reject(notFound(`no ${name}`)),
    discover: async () => {},
    entries: () => [['recorder', driver]],
  };
  return makeLogManager(drivers, { logDriver: 'recorder', logOpts: { 'max-size': '1m' } }, quiet, { publish() {} });
}

const info = (options: Record<string, string> = {}) =>
  ({ containerId: 'c', logPath: '/nowhere/c-json.log', options }) as LogInfo;

async function start(options: Record<string, string> = {}, type = 'recorder') {
  const recorder = new Recorder();
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const pump = await managerWith(recorder).startPump(type, info(options), { stdout, stderr });
  return { recorder, stdout, stderr, pump };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

test('lines reach the driver whole, whatever pieces they come in', async () => {
  const { recorder, stdout, stderr, pump } = await start();
  for (const piece of ['one\ntw', 'o', '\nthree\nfo', 'ur\n']) {
    stdout.write(piece);
    await turn();
  }
  stderr.end('oops\n');
  stdout.end();
  await pump.done;
  expect(recorder.batches.filter(({ source }) => source === 'stdout').map(({ data }) => data.toString())).toEqual([
    'one\n',
    'two\nthree\n',
    'four\n',
  ]);
  expect(recorder.text('stderr')).toBe('oops\n');
  expect(recorder.batches.every(({ partial }) => partial === undefined)).toBe(true);
  expect(recorder.closed).toBe(true);
});

test('a long line comes in pieces of 16 KiB that belong together', async () => {
  const { recorder, stdout, stderr, pump } = await start();
  stdout.write('short\n');
  for (const size of [10_000, 25_000, 5_000]) stdout.write('x'.repeat(size));
  stdout.end('\nafter\n');
  stderr.end();
  await pump.done;
  expect(recorder.batches.map(({ data, partial }) => [data.length, partial?.ordinal, partial?.last])).toEqual([
    [6, undefined, undefined],
    [16384, 1, false],
    [16384, 2, false],
    [40_000 - 32768 + 1, 3, true],
    [6, undefined, undefined],
  ]);
  const pieces = recorder.batches.filter(({ partial }) => partial);
  expect(new Set(pieces.map(({ partial }) => partial!.id)).size).toBe(1);
  expect(new Set(pieces.map(({ timeNs }) => timeNs)).size).toBe(1);
});

test('lines that large chunks cut in the middle are put together', async () => {
  const { recorder, stdout, stderr, pump } = await start();
  const lines = Array.from({ length: 9000 }, (_, i) => `${i} ${'x'.repeat(i % 97)}\n`);
  const bytes = Buffer.from(lines.join(''));
  for (let at = 0; at < bytes.length; at += 65_536) stdout.write(bytes.subarray(at, at + 65_536));
  stdout.end();
  stderr.end();
  await pump.done;
  expect(recorder.text()).toBe(lines.join(''));
  for (const { data, partial } of recorder.batches) {
    expect(partial).toBeUndefined();
    expect(data.at(-1)).toBe(10);
  }
});

test('output that ends without a newline is not lost', async () => {
  const { recorder, stdout, stderr, pump } = await start();
  stderr.end();
  stdout.end('a\nprompt> ');
  await pump.done;
  expect(recorder.batches.map(({ data, partial }) => [data.toString(), partial?.last])).toEqual([
    ['a\n', undefined],
    ['prompt> ', false],
  ]);
});

test('times have nanoseconds and go forward', async () => {
  const { recorder, stdout, stderr, pump } = await start();
  const before = BigInt(Date.now()) * 1_000_000n;
  for (let i = 0; i < 5; i++) {
    stdout.write(`${i}\n`);
    await turn();
  }
  stdout.end();
  stderr.end();
  await pump.done;
  const times = recorder.batches.map(({ timeNs }) => timeNs);
  expect([...times].sort()).toEqual(times);
  expect(new Set(times).size).toBe(5);
  expect(times[0]! - before).toBeLessThan(1_000_000_000n);
  expect(times[0]! - before).toBeGreaterThan(-10_000_000n);
});

test('a driver that is busy holds the container back', async () => {
  const { recorder, stdout, stderr, pump } = await start();
  let free!: () => void;
  recorder.hold = new Promise((resolve) => {
    free = resolve;
  });
  stdout.write('first\n');
  await turn();
  stdout.write('second\n');
  await turn();
  expect(recorder.text()).toBe('first\n');
  recorder.hold = undefined;
  free();
  stdout.end();
  stderr.end();
  await pump.done;
  expect(recorder.text()).toBe('first\nsecond\n');
});

test('in non-blocking mode a busy driver costs messages, whole ones, and never the container', async () => {
  const { recorder, stdout, stderr, pump } = await start({ mode: 'non-blocking', 'max-buffer-size': '1k' });
  let free!: () => void;
  recorder.hold = new Promise((resolve) => {
    free = resolve;
  });
  for (let i = 0; i < 200; i++) {
    stdout.write(`line ${i} ${'x'.repeat(90)}\n`);
    if (i % 10 === 0) await turn();
  }
  await turn();
  expect(stdout.readableLength).toBe(0);
  recorder.hold = undefined;
  free();
  stdout.end('');
  stderr.end();
  await pump.done;
  const kept = recorder.text().split('\n').slice(0, -1);
  expect(kept.length).toBeGreaterThan(5);
  expect(kept.length).toBeLessThan(40);
  for (const line of kept) expect(line).toMatch(/^line \d+ x{90}$/);
});

test('whoever is attached gets the bytes as they come, can hold them back, and hears of the end', async () => {
  const { stdout, stderr, pump } = await start();
  const seen: string[] = [];
  let free: (() => void) | undefined;
  const leave = pump.subscribe({
    data(source, chunk) {
      seen.push(`${source}:${chunk}`);
      return new Promise((resolve) => {
        free = resolve;
      });
    },
    ended: () => seen.push('slow ended'),
  });
  const other: string[] = [];
  pump.subscribe({ data: (source, chunk) => void other.push(`${source}:${chunk}`), ended: () => other.push('ended') });
  stdout.write('no newline yet');
  await turn();
  stdout.write(' more');
  await turn();
  expect(seen).toEqual(['stdout:no newline yet']);
  free!();
  await turn();
  expect(seen).toEqual(['stdout:no newline yet', 'stdout: more']);
  leave();
  stdout.end();
  stderr.end('e');
  await pump.done;
  expect(seen).toHaveLength(2);
  expect(other).toEqual(['stdout:no newline yet', 'stdout: more', 'stderr:e', 'ended']);
  const late = new Promise<void>((resolve) => pump.subscribe({ data() {}, ended: resolve }));
  await late;
});

test('a pump whose streams stay open can be closed', async () => {
  const { recorder, stdout, pump } = await start();
  stdout.write('x\nrest');
  await turn();
  await pump.close();
  expect(recorder.text()).toBe('x\nrest');
  expect(recorder.closed).toBe(true);
});

test('what stands in a stream when its pump is closed goes to the driver, however slow that is', async () => {
  const { recorder, stdout, stderr, pump } = await start({ 'spool-max-size': '0' });
  recorder.hold = new Promise(() => undefined);
  stderr.end();
  stdout.write('1\n');
  await turn();
  for (const line of ['2\n', '3\n']) stdout.write(line);
  stdout.end('4\n');
  await turn();
  expect(recorder.text()).toBe('1\n');
  await pump.close();
  expect(recorder.text()).toBe('1\n2\n3\n4\n');
  expect(recorder.closed).toBe(true);
});

test('the driver "none" keeps nothing, feeds who is attached and cannot be read', async () => {
  const { recorder, stdout, stderr, pump } = await start({}, 'none');
  const seen: string[] = [];
  pump.subscribe({ data: (_source, chunk) => void seen.push(String(chunk)), ended() {} });
  stdout.end('x\n');
  stderr.end();
  await pump.done;
  expect(seen).toEqual(['x\n']);
  expect(recorder.batches).toEqual([]);
  const read = managerWith(recorder).read('none', info(), { follow: false }, new AbortController().signal);
  await expect(read[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    kind: 'not-implemented',
    message: 'configured logging driver does not support reading',
  });
});

test.each([
  ['nope', {}, /error looking up logging plugin nope: /],
  ['recorder', { mode: 'sometimes' }, 'logger: logging mode not supported: sometimes'],
  ['recorder', { 'max-buffer-size': '1m' }, /only supported with 'mode=non-blocking'/],
  ['recorder', { mode: 'non-blocking', 'max-buffer-size': 'big' }, /max-buffer-size: invalid size: 'big'/],
])('the driver %s with %j is refused', async (type, options, message) => {
  const refused = managerWith(new Recorder()).validate(type, options as Record<string, string>);
  await expect(refused).rejects.toMatchObject({ kind: 'invalid-parameter' });
  await expect(refused).rejects.toThrow(message);
});

test('the daemon’s driver and its options are the default, and only together', () => {
  const manager = managerWith(new Recorder());
  expect(manager.resolveConfig({ type: '', options: { tag: 'x' } })).toEqual({
    type: 'recorder',
    options: { 'max-size': '1m', tag: 'x' },
  });
  expect(manager.resolveConfig({ type: 'none', options: {} })).toEqual({ type: 'none', options: {} });
});

test('a driver that only knows when asked whether it can read back is asked', async () => {
  const driver = new Recorder() as Recorder & LogDriver;
  let readLogs = false;
  Object.assign(driver, {
    capabilities: async () => ({ readLogs }),
    async *read() {
      yield [{ source: 'stdout', timeNs: 1n, line: Buffer.from('x\n') }];
    },
  });
  const manager = managerWith(driver);
  const read = () =>
    manager.read('recorder', info(), { follow: false }, new AbortController().signal)[Symbol.asyncIterator]().next();
  expect(await manager.canRead('recorder', info())).toBe(false);
  await expect(read()).rejects.toThrow('configured logging driver does not support reading');
  readLogs = true;
  expect(await manager.canRead('recorder', info())).toBe(true);
  expect((await read()).value).toHaveLength(1);
});

import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogBatch, LogDriver, LogEntry, LogInfo, LogReadOptions, LogSource } from '../../contracts/log-driver';
import type { Logger } from '../../contracts/logger';
import { messagesOf } from '../../log-drivers';
import { decodeLogEntry, encodeLogEntry } from '../../wire';
import { type FileLogDriverParts, type LogFormat, lengthFraming, lineFraming, makeFileLogDriver } from '..';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const never = new AbortController().signal;
const timeNs = 1_704_164_645_120_000_000n;

/** `<time> <stream> <text>` on a line. */
const lineFormat: LogFormat = {
  ...lineFraming,
  decode: (data, end) =>
    data
      .toString('utf8', 0, end)
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [, time, source, text] = /^(\d+) (\w+) (.*)$/.exec(line)!;
        return { source: source as LogSource, timeNs: BigInt(time!), line: Buffer.from(`${text}\n`) };
      }),
};

const frameFormat: LogFormat = {
  ...lengthFraming,
  decode(data, end) {
    const entries: LogEntry[] = [];
    for (let at = 0; at < end; ) {
      const length = data.readUInt32BE(at);
      const { source, timeNs: time, line } = decodeLogEntry(data.subarray(at + 4, at + 4 + length));
      entries.push({ source, timeNs: time, line: Buffer.concat([line, Buffer.from('\n')]) });
      at += length + 8;
    }
    return entries;
  },
};

type Encode = ReturnType<FileLogDriverParts['encoder']>;

const writeLines: Encode = (batch, file) => {
  for (const message of messagesOf(batch)) file.add(`${batch.timeNs} ${batch.source} ${message}\n`);
};

const writeFrames: Encode = ({ source, timeNs: time, ...batch }, file) => {
  for (const line of messagesOf(batch)) {
    const frame = encodeLogEntry({ source, timeNs: time, line });
    file.add(Buffer.concat([frame, frame.subarray(0, 4)]));
  }
};

let directory: string;
let driver: LogDriver;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-log-files-'));
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
  logPath: join(directory, 'c.log'),
  options,
});

const batch = (text: string, source: LogSource = 'stdout', time = timeNs): LogBatch => ({
  source,
  timeNs: time,
  data: Buffer.from(text),
});

async function readEntries(options: Partial<LogReadOptions> = {}): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const some of driver.read!(info(), { follow: false, ...options }, never)) entries.push(...some);
  return entries;
}

const lines = async (options: Partial<LogReadOptions> = {}) =>
  (await readEntries(options)).map(({ line }) => line.toString());

describe.each([
  ['lines', lineFormat, writeLines],
  ['framed records', frameFormat, writeFrames],
] as const)('a log of %s', (_what, format, encode) => {
  beforeEach(() => {
    driver = makeFileLogDriver(
      {
        parseOptions: ({ 'max-bytes': bytes, 'max-file': files = '1', compress }) => ({
          maxBytes: bytes === undefined ? undefined : Number(bytes),
          maxFiles: Number(files),
          compress: compress === 'true',
        }),
        pathOf: ({ logPath }) => logPath,
        format,
        encoder: () => encode,
      },
      quiet,
    );
  });

  describe.each<Record<string, string>>([{}, { compress: 'true' }])('with rotation %j', (more) => {
    const options: Record<string, string> = { 'max-bytes': '800', 'max-file': '4', ...more };

    test('reading goes through all files, from the end as well', async () => {
      const writer = await driver.open(info(options));
      const all: string[] = [];
      for (let i = 0; i < 90; i += 3) {
        const three = [`line ${i}\n`, `line ${i + 1}\n`, `line ${i + 2}\n`];
        all.push(...three);
        await writer.write(batch(three.join('')));
      }
      await writer.close();
      const names = await readdir(directory);
      expect(names).toHaveLength(4);
      if (more.compress) expect(names).toEqual(expect.arrayContaining(['c.log.1.gz', 'c.log.3.gz']));
      const kept = await lines();
      expect(kept.length).toBeGreaterThan(70);
      expect(kept).toEqual(all.slice(-kept.length));
      for (const tail of [0, 1, 5, 40, kept.length, 1000])
        expect(await lines({ tail })).toEqual(kept.slice(-tail || 999));
    });

    test('following misses and repeats no line across rotations', async () => {
      const writer = await driver.open(info({ ...options, 'max-file': '50' }));
      await writer.write(batch('line 0\n'));
      const seen: string[] = [];
      const reading = (async () => {
        for await (const some of driver.read!(info(), { follow: true }, never))
          seen.push(...some.map(({ line }) => line.toString()));
      })();
      for (let i = 1; i < 1000; i++) {
        await writer.write(batch(`line ${i}\n`));
        if (i % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const open = (await readdir('/proc/self/fd')).length;
      await writer.close();
      await reading;
      expect(open - (await readdir('/proc/self/fd')).length).toBeLessThan(6);
      expect(seen).toEqual(Array.from({ length: 1000 }, (_, i) => `line ${i}\n`));
    });
  });

  test('with one file the log starts anew when it is full', async () => {
    const writer = await driver.open(info({ 'max-bytes': '400' }));
    for (let i = 0; i < 100; i++) await writer.write(batch(`line ${i}\n`));
    await writer.close();
    expect(await readdir(directory)).toEqual(['c.log']);
    const kept = await lines();
    expect(kept.at(-1)).toBe('line 99\n');
    expect(kept.length).toBeLessThan(30);
  });

  test('since and until choose by time, tail by count before that', async () => {
    const writer = await driver.open(info());
    for (let i = 0n; i < 10n; i++) await writer.write(batch(`line ${i}\n`, 'stdout', timeNs + i));
    await writer.close();
    expect(await lines({ sinceNs: timeNs + 8n })).toEqual(['line 8\n', 'line 9\n']);
    expect(await lines({ untilNs: timeNs + 1n })).toEqual(['line 0\n', 'line 1\n']);
    expect(await lines({ tail: 3, untilNs: timeNs + 8n })).toEqual(['line 7\n', 'line 8\n']);
  });

  test('following ends when the reader leaves, when its time is over and when nobody writes', async () => {
    const writer = await driver.open(info());
    await writer.write(batch('x\n'));
    await writer.flush();
    const leave = new AbortController();
    const left = driver.read!(info(), { follow: true }, leave.signal)[Symbol.asyncIterator]();
    await left.next();
    setTimeout(() => leave.abort(), 20);
    expect((await left.next()).done).toBe(true);
    expect(await lines({ follow: true, untilNs: BigInt(Date.now() + 50) * 1_000_000n })).toEqual(['x\n']);
    await writer.close();
    expect(await lines({ follow: true })).toEqual(['x\n']);
  });

  test('what was written a moment ago is read, also while more comes all the time', async () => {
    const writer = await driver.open(info());
    let more = true;
    const noise = (async () => {
      for (let i = 0; more; i++) {
        await writer.write(batch(`noise ${i}\n`));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    try {
      for (let i = 0; i < 20; i++) {
        void writer.write(batch(`mark ${i}\n`));
        expect(await lines()).toContain(`mark ${i}\n`);
        expect(await lines({ tail: 2 })).toHaveLength(2);
      }
    } finally {
      more = false;
    }
    await noise;
    await writer.close();
  });

  test('writing waits when files do not turn over as fast as output comes', async () => {
    const writer = await driver.open(info({ 'max-bytes': '1000000', 'max-file': '9' }));
    const big = Buffer.from(`${'x'.repeat(99)}\n`.repeat(6000));
    const waits = [1, 2, 3, 4].map(() => writer.write({ source: 'stdout', timeNs, data: big }));
    expect(waits.at(-1)).toBeInstanceOf(Promise);
    await Promise.all(waits);
    await writer.close();
    expect(await readEntries()).toHaveLength(24000);
  });

  test('what a crash left at the end is cut off when the log is opened again', async () => {
    const write = async (text: string) => {
      const writer = await driver.open(info());
      await writer.write(batch(text));
      await writer.close();
    };
    await write('one\ntwo\n');
    await appendFile(info().logPath, Buffer.from([0, 0, 0, 9, 1, 2]));
    expect(await lines({ tail: 5 })).toHaveLength(2);
    await write('three\n');
    expect(await lines()).toEqual(['one\n', 'two\n', 'three\n']);
    expect(await lines({ tail: 2 })).toEqual(['two\n', 'three\n']);
  });
});

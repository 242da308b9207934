import { deepEqual, equal, ok } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogFifo } from '../client/log-fifo';
import type { LogBatch, LogDriver, LogEntry, LogInfo, LogReadOptions } from '../contracts/log-driver';
import { CleanupStack } from '../lifecycle';
import { encodeLogEntry, encodeLogInfo, LogEntryDecoder, logDriverMethods as methods } from '../wire';
import type { JudgedPlugin } from './judged-plugin';
import { refuses } from './refusal';
import { type ConformanceCase, type ConformanceSuite, skip } from './suite';
import { wireCases } from './wire-cases';

/** A log driver to judge, and what is known about it. */
export interface LogDriverSubject {
  readonly driver: LogDriver;
  /** Options a container can log with; none when absent. */
  readonly options?: Readonly<Record<string, string>>;
  /** Options the driver must refuse. */
  readonly refusedOptions?: Readonly<Record<string, string>>;
  /** Where FIFOs are made, for cases about the wire; the plugin must see the folder. The system's for temporary files when absent. */
  readonly fifoFolder?: string;
  /** When the driver is behind a socket: the way to it, for cases about the wire itself. */
  readonly client?: JudgedPlugin;
}

const hexId = () => randomBytes(32).toString('hex');
const batch = (text: string | Buffer, more: Partial<LogBatch> = {}): LogBatch => ({
  source: 'stdout',
  timeNs: BigInt(Date.now()) * 1_000_000n,
  data: Buffer.from(text),
  ...more,
});

function infoOf(subject: LogDriverSubject, containerId = hexId()): LogInfo {
  return {
    containerId,
    containerName: `conformance-${containerId.slice(0, 8)}`,
    imageId: `sha256:${'0'.repeat(64)}`,
    imageName: 'busybox',
    entrypoint: 'sh',
    args: ['-c', 'true'],
    createdAt: new Date(),
    env: [],
    labels: {},
    logPath: '',
    options: subject.options ?? {},
  };
}

async function readAll(
  subject: LogDriverSubject,
  info: LogInfo,
  how: Partial<LogReadOptions> = {},
  signal = new AbortController().signal,
): Promise<LogEntry[]> {
  const { driver } = subject;
  const canRead = (await driver.capabilities?.())?.readLogs ?? driver.read !== undefined;
  if (!canRead || driver.read === undefined) skip('this driver cannot read back');
  const entries: LogEntry[] = [];
  for await (const some of driver.read(info, { follow: false, ...how }, signal)) entries.push(...some);
  return entries;
}

const textOf = (entries: readonly LogEntry[]) => Buffer.concat(entries.map(({ line }) => line)).toString('utf8');

async function write(subject: LogDriverSubject, info: LogInfo, batches: readonly LogBatch[]): Promise<void> {
  const writer = await subject.driver.open(info);
  try {
    for (const one of batches) await writer.write(one);
  } finally {
    await writer.close();
  }
}

interface WireTools {
  readonly client: JudgedPlugin;
  fifo(): Promise<LogFifo>;
  start(fifo: LogFifo, containerId: string): Promise<void>;
  stop(fifo: LogFifo): Promise<void>;
}

/** FIFOs of the case's own, which end with it. */
const onTheWire =
  (work: (tools: WireTools, subject: LogDriverSubject) => Promise<void>) => async (subject: LogDriverSubject) => {
    const { client } = subject;
    if (client === undefined) skip('in process there is no FIFO');
    const cleanup = new CleanupStack();
    const folder = subject.fifoFolder ?? (await mkdtemp(join(tmpdir(), 'gantry-fifo-')));
    if (subject.fifoFolder === undefined) cleanup.push(() => rm(folder, { recursive: true, force: true }));
    const stop = async (fifo: LogFifo) =>
      void (await client.call({ ...methods.stopLogging, body: { File: fifo.path } }));
    try {
      await work(
        {
          client,
          async fifo() {
            const fifo = await LogFifo.make(folder);
            cleanup.push(async () => {
              await stop(fifo).catch(() => undefined);
              fifo.close();
            });
            return fifo;
          },
          async start(fifo, containerId) {
            const Info = encodeLogInfo(infoOf(subject, containerId), 'conformance');
            await client.call({ ...methods.startLogging, body: { File: fifo.path, Info } });
          },
          stop,
        },
        subject,
      );
    } finally {
      await cleanup.runAll();
    }
  };

const frame = (line: string | Buffer) =>
  encodeLogEntry({ source: 'stdout', timeNs: BigInt(Date.now()) * 1_000_000n, line: Buffer.from(line) });

type Case = ConformanceCase<LogDriverSubject>;
const one = (id: string, rule: Case['rule'], title: string, run: Case['run']): Case => ({
  id: `log.${id}`,
  title,
  rule,
  run,
});

const writingCases: readonly Case[] = [
  one('write', 'P-LOG-3', 'a container with environment and labels logs from its start to its end', (subject) =>
    write(subject, { ...infoOf(subject), env: ['STAGE=test'], labels: { tier: 'front' } }, [
      batch('one\n'),
      batch('two\n', { source: 'stderr' }),
    ]),
  ),
  one('refused-option', 'P-LOG-10', 'a wrong option keeps the container from starting', async (subject) => {
    const { refusedOptions, driver } = subject;
    if (refusedOptions === undefined) skip('no options are known that the driver must refuse');
    const open = async () => {
      driver.validate(refusedOptions);
      await (await driver.open({ ...infoOf(subject), options: refusedOptions })).close();
    };
    await refuses(open(), 'logging with a wrong option');
  }),
  one('absent-fifo', 'P-LOG-10', 'a FIFO that is not there keeps the container from starting', async (subject) => {
    if (subject.client === undefined) skip('in process there is no FIFO');
    const body = { File: '/nonexistent/fifo', Info: { Config: subject.options ?? {}, ContainerID: hexId() } };
    await refuses(subject.client.call({ ...methods.startLogging, body }), 'StartLogging with an absent FIFO');
  }),
  one(
    'least-info',
    'P-LOG-1',
    'a container is known by its id alone',
    onTheWire(async ({ client, fifo, stop }, subject) => {
      const mine = await fifo();
      const body = { File: mine.path, Info: { Config: subject.options ?? {}, ContainerID: hexId() } };
      await client.call({ ...methods.startLogging, body });
      await mine.write(frame('hello'));
      await stop(mine);
    }),
  ),
  one(
    'drain',
    'P-LOG-4',
    'all that is in the FIFO is read before StopLogging is answered',
    onTheWire(async ({ fifo, start, stop }) => {
      const mine = await fifo();
      await start(mine, hexId());
      for (let count = 0; count < 40; count++) await mine.write(frame(`drain ${count} ${'x'.repeat(1000)}`));
      await stop(mine);
      ok(mine.empty, 'something is left in the FIFO');
    }),
  ),
];

const readingCases: readonly Case[] = [
  one(
    'read.lines',
    'P-LOG-8',
    'lines are read back with their newline, in order, with stream and time',
    async (subject) => {
      const info = infoOf(subject);
      const timeNs = 1_700_000_000_000_000_001n;
      await write(subject, info, [
        batch('one\n', { timeNs }),
        batch('two\n', { source: 'stderr', timeNs: timeNs + 1n }),
      ]);
      deepEqual(
        (await readAll(subject, info)).map(({ source, timeNs: at, line }) => [source, at, line.toString()]),
        [
          ['stdout', timeNs, 'one\n'],
          ['stderr', timeNs + 1n, 'two\n'],
        ],
      );
    },
  ),
  one('read.tail', 'P-LOG-8', 'the last two of three lines are the last two', async (subject) => {
    const info = infoOf(subject);
    await write(subject, info, [batch('1\n'), batch('2\n'), batch('3\n')]);
    equal(textOf(await readAll(subject, info, { tail: 2 })), '2\n3\n');
  }),
  one('read.follow', 'P-LOG-8', 'who follows gets what is written later', async (subject) => {
    const info = infoOf(subject);
    const writer = await subject.driver.open(info);
    try {
      await writer.write(batch('early\n'));
      await writer.flush();
      const enough = new AbortController();
      const timer = setTimeout(() => enough.abort(), 5000);
      const seen: LogEntry[] = [];
      // Whether it can be read at all is told by an ordinary read.
      await readAll(subject, info);
      for await (const some of subject.driver.read!(info, { follow: true }, enough.signal)) {
        if (seen.length === 0) await writer.write(batch('late\n'));
        seen.push(...some);
        if (seen.length >= 2) break;
      }
      clearTimeout(timer);
      enough.abort();
      equal(textOf(seen), 'early\nlate\n');
    } finally {
      await writer.close();
    }
  }),
  one('read.absent', 'P-CALL-8', 'the log of an unknown container is an error or empty', async (subject) => {
    const entries = await readAll(subject, infoOf(subject)).catch((error: Error) => {
      if (error.constructor.name === 'Skip' || error.name === 'ProtocolBreach') throw error;
      return [];
    });
    equal(textOf(entries), '');
  }),
  one('read.bytes', 'P-LOG-6', 'lines are bytes, empty ones included', async (subject) => {
    const info = infoOf(subject);
    const odd = Buffer.from([0xff, 0x00, 0x80, 0x0a, 0x0a]);
    await write(subject, info, [batch(odd)]);
    const read = Buffer.concat((await readAll(subject, info)).map(({ line }) => line));
    equal(read.toString('hex'), odd.toString('hex'));
  }),
  one('read.long', 'P-LOG-7', 'the pieces of a long line are one line', async (subject) => {
    const info = infoOf(subject);
    const id = hexId();
    const piece = (text: string, ordinal: number, last: boolean) => batch(text, { partial: { id, ordinal, last } });
    await write(subject, info, [
      piece('a'.repeat(16384), 1, false),
      piece('b'.repeat(16384), 2, false),
      piece('c\n', 3, true),
      batch('next\n'),
    ]);
    equal(textOf(await readAll(subject, info)), `${'a'.repeat(16384)}${'b'.repeat(16384)}c\nnext\n`);
  }),
  one('read.two', 'P-LOG-2', 'two containers at once have two logs', async (subject) => {
    const [left, right] = [infoOf(subject), infoOf(subject)];
    const leftWriter = await subject.driver.open(left);
    const rightWriter = await subject.driver.open(right);
    await leftWriter.write(batch('left\n'));
    await rightWriter.write(batch('right\n'));
    await Promise.all([leftWriter.close(), rightWriter.close()]);
    equal(textOf(await readAll(subject, left)), 'left\n');
    equal(textOf(await readAll(subject, right)), 'right\n');
  }),
  one('read.restart', 'P-LOG-2', 'a container that starts again goes on with its log', async (subject) => {
    const info = infoOf(subject);
    await write(subject, info, [batch('first\n')]);
    await write(subject, info, [batch('second\n')]);
    equal(textOf(await readAll(subject, info)), 'first\nsecond\n');
  }),
  one(
    'read.cut',
    'P-LOG-6',
    'entries are understood however the pipe cuts them',
    onTheWire(async ({ fifo, start, stop }, subject) => {
      const info = infoOf(subject);
      const mine = await fifo();
      await start(mine, info.containerId);
      for (const byte of frame('slowly')) {
        await mine.write(Buffer.of(byte));
        // One at a time: the next comes when this one has been taken, or was not for long.
        for (let tries = 0; !mine.empty && tries < 50; tries++) await new Promise((next) => setTimeout(next, 2));
      }
      await stop(mine);
      equal(textOf(await readAll(subject, info)), 'slowly\n');
    }),
  ),
  one(
    'read.told-twice',
    'P-LOG-5',
    'StartLogging said twice writes nothing twice',
    onTheWire(async ({ fifo, start, stop }, subject) => {
      const info = infoOf(subject);
      const mine = await fifo();
      await start(mine, info.containerId);
      await start(mine, info.containerId);
      await mine.write(frame('once'));
      await stop(mine);
      equal(textOf(await readAll(subject, info)), 'once\n');
    }),
  ),
  one(
    'read.stream',
    'P-LOG-8',
    'ReadLogs answers with nothing but entries',
    onTheWire(async ({ client, fifo, start, stop }, subject) => {
      const info = infoOf(subject);
      const mine = await fifo();
      await start(mine, info.containerId);
      await mine.write(frame('entry'));
      await stop(mine);
      await readAll(subject, info);
      const body = { Info: { Config: {}, ContainerID: info.containerId }, Config: { Tail: -1, Follow: false } };
      const decoder = new LogEntryDecoder();
      const lines: string[] = [];
      for await (const chunk of await client.stream({ ...methods.readLogs, body }))
        lines.push(...decoder.push(chunk).map(({ line }) => line.toString()));
      equal(decoder.pendingBytes, 0, 'the answer ends in the middle of an entry');
      deepEqual(lines, ['entry\n']);
    }),
  ),
];

const nobody = { Config: {}, ContainerID: '0'.repeat(64) };
const wire = wireCases({
  prefix: 'log',
  kind: 'LogDriver',
  methods: [
    [methods.startLogging.method, { File: '/nonexistent/fifo', Info: nobody }],
    [methods.stopLogging.method, { File: '/nonexistent/fifo' }],
  ],
  emptyBodies: [methods.capabilities.method],
  optional: [methods.capabilities.method],
});

/** What every log driver must do, in process and behind a socket. Its logs are of containers that never were. */
export const logDriverSuite: ConformanceSuite<LogDriverSubject> = {
  kind: 'log',
  cases: [...wire.first, ...writingCases, ...readingCases, ...wire.last],
};

import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { LogBatch, LogDriver, LogEntry, LogWriter } from '../../contracts/log-driver';
import { decodeLogInfo, decodeReadConfig, encodeLogEntry, LogEntryDecoder } from '../../wire';
import { referenceLogDriver } from '..';
import { type Fault, taken } from './fault-proxy';
import { change, type Mutants, when, wireMutants } from './mutants';

const on = (name: string) => `LogDriver.${name}`;
const failing = { status: 200, text: '{"Err":"broken on purpose"}' };

/** Changes what is written. */
const writing = (changed: (batch: LogBatch) => LogBatch) => ({
  driver: (d: LogDriver): LogDriver => ({
    ...d,
    open: async (info) => {
      const writer = await d.open(info);
      return { ...writer, write: (batch) => writer.write(changed(batch)) };
    },
  }),
});
/** Changes what is read. */
const reading = (changed: (entries: readonly LogEntry[]) => readonly LogEntry[]) => ({
  driver: (d: LogDriver): LogDriver => ({
    ...d,
    async *read(...args) {
      for await (const entries of d.read!(...args)) yield changed(entries);
    },
  }),
});

type Mistake = 'whole-frames' | 'reads-twice' | 'leaves-the-rest';

/** Reads a FIFO into a writer, a moment later, with a mistake in it. */
class NaiveReader {
  private readonly fd: number;
  private readonly decoder = new LogEntryDecoder();
  private readonly timer: NodeJS.Timeout;

  constructor(
    path: string,
    private readonly writer: LogWriter,
    private readonly mistake: Mistake,
    private readonly copies: () => number,
  ) {
    this.fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.timer = setInterval(() => this.read(64 * 1024), mistake === 'leaves-the-rest' ? 60 : 5);
  }

  close(): void {
    clearInterval(this.timer);
    if (this.mistake === 'leaves-the-rest') this.read(16 * 1024);
    else while (this.read(64 * 1024) > 0);
    closeSync(this.fd);
    void this.writer.close();
  }

  private read(size: number): number {
    const chunk = Buffer.alloc(size);
    let length = 0;
    try {
      length = readSync(this.fd, chunk);
    } catch {
      return 0;
    }
    const decoder = this.mistake === 'whole-frames' ? new LogEntryDecoder() : this.decoder;
    for (const { source, timeNs, line, partial } of decoder.push(chunk.subarray(0, length)))
      for (let copy = 0; copy < this.copies(); copy++)
        void this.writer.write({
          source,
          timeNs,
          data: partial?.last === false ? line : Buffer.concat([line, Buffer.from('\n')]),
          partial,
        });
    return length;
  }
}

/** A plugin whose FIFOs are read by a reader with a mistake. */
const naiveReader =
  (mistake: Mistake): (() => Fault) =>
  () => {
    const driver = referenceLogDriver();
    const open = new Map<string, NaiveReader[]>();
    return async ({ method, body }, _forward, response) => {
      if (method === on('StartLogging')) {
        if (body.File.startsWith('/nonexistent') || 'colour' in body.Info.Config) return failing;
        const readers = open.get(body.File) ?? [];
        open.set(body.File, readers);
        if (mistake !== 'reads-twice' && readers.length > 0) return {};
        const writer = await driver.open(decodeLogInfo(body));
        readers.push(new NaiveReader(body.File, writer, mistake, () => readers.length));
        return {};
      }
      if (method === on('StopLogging')) {
        for (const reader of open.get(body.File) ?? []) reader.close();
        open.delete(body.File);
        return {};
      }
      if (method !== on('ReadLogs')) return undefined;
      const gone = new AbortController();
      response.on('close', () => gone.abort());
      try {
        for await (const entries of driver.read!(decodeLogInfo(body), decodeReadConfig(body), gone.signal)) {
          for (const entry of entries) response.write(encodeLogEntry(entry));
        }
        response.end();
      } catch {
        return { status: 500, text: 'no log' };
      }
      return taken;
    };
  };

export const logMutants: Mutants<LogDriver> = {
  ...wireMutants('log', 'LogDriver', on('StopLogging')),
  'log.wire.empty-body': {
    fault: when(
      on('Capabilities'),
      () => 400,
      ({ headers }) => !headers.accept,
    ),
  },
  'log.wire.capabilities': { fault: change(on('Capabilities'), (answer) => ({ ...answer, ReadLogs: true })) },
  'log.write': {
    fault: when(
      on('StartLogging'),
      () => failing,
      ({ body }) => 'tier' in (body.Info.ContainerLabels ?? {}),
    ),
  },
  'log.refused-option': { driver: (d) => ({ ...d, validate: () => {} }) },
  'log.absent-fifo': {
    fault: when(
      on('StartLogging'),
      () => ({}),
      ({ body }) => body.File.startsWith('/nonexistent'),
    ),
  },
  'log.least-info': {
    fault: when(
      on('StartLogging'),
      () => failing,
      ({ body }) => !body.Info.ContainerName,
    ),
  },
  'log.drain': { fault: naiveReader('leaves-the-rest') },
  'log.read.lines': writing((batch) => ({ ...batch, source: 'stdout' })),
  'log.read.tail': {
    driver: (d) => ({ ...d, read: (info, how, signal) => d.read!(info, { ...how, tail: undefined }, signal) }),
  },
  'log.read.follow': {
    driver: (d) => ({ ...d, read: (info, how, signal) => d.read!(info, { ...how, follow: false }, signal) }),
  },
  'log.read.absent': {
    driver: (d) => ({
      ...d,
      async *read(...args) {
        try {
          yield* d.read!(...args);
        } catch {
          yield [{ source: 'stdout', timeNs: 1n, line: Buffer.from("somebody else's\n") }];
        }
      },
    }),
  },
  'log.read.bytes': reading((entries) => entries.map((it) => ({ ...it, line: Buffer.from(it.line.toString('utf8')) }))),
  'log.read.long': reading((entries) =>
    entries.map((it) => (it.line.at(-1) === 10 ? it : { ...it, line: Buffer.concat([it.line, Buffer.from('\n')]) })),
  ),
  'log.read.two': {
    driver: (d) => {
      const open: string[] = [];
      return {
        ...d,
        open: async (info) => {
          open.push(info.containerId);
          const writer = await d.open({ ...info, containerId: open[0]! });
          return {
            ...writer,
            async close() {
              open.splice(open.indexOf(info.containerId), 1);
              await writer.close();
            },
          };
        },
      };
    },
  },
  'log.read.restart': {
    driver: (d) => {
      const runs = new Map<string, number>();
      const name = (id: string) => `${id}.${runs.get(id) ?? 0}`;
      return {
        ...d,
        open: (info) => {
          runs.set(info.containerId, (runs.get(info.containerId) ?? 0) + 1);
          return d.open({ ...info, containerId: name(info.containerId) });
        },
        read: (info, how, signal) => d.read!({ ...info, containerId: name(info.containerId) }, how, signal),
      };
    },
  },
  'log.read.cut': { fault: naiveReader('whole-frames') },
  'log.read.told-twice': { fault: naiveReader('reads-twice') },
  'log.read.stream': {
    fault: when(
      on('ReadLogs'),
      async (_asked, forward) => {
        const { status, text } = await forward();
        const bytes = Buffer.concat([Buffer.from(text), Buffer.from('EOF')]);
        return { status, text: status === 200 ? bytes : text };
      },
      ({ body }) => body.Config.Follow === false,
    ),
  },
};

import { EventEmitter, once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { invalidParameter, type LogBatch, type LogDriver, type LogEntry, type LogReadOptions } from '@gantry/sdk';

/** A line of a diary: time in nanoseconds, stream, text with its newline. */
type Note = readonly [time: string, source: 'stdout' | 'stderr', text: string];

/**
 * Keeps the log of each container in `<root>/<container id>.diary`, one JSON array per line. The option `redact=WORD`
 * blackens a word.
 */
export async function openDiaryLogs(root: string): Promise<LogDriver> {
  await mkdir(root, { recursive: true });
  const pathOf = (containerId: string) => join(root, `${containerId}.diary`);
  /** Says `more` after each write and `end` once, for those who follow. */
  const written = new Map<string, EventEmitter>();
  return {
    validate(options) {
      for (const name of Object.keys(options))
        if (name !== 'redact')
          throw invalidParameter(`unknown log opt '${name}' for the diary; there is only "redact"`);
    },

    async open({ containerId, options }) {
      const file = await open(pathOf(containerId), 'a');
      const news = new EventEmitter().setMaxListeners(0);
      written.set(containerId, news);
      return {
        async write(batch) {
          await file.appendFile(
            notesOf(batch, options.redact)
              .map((note) => `${JSON.stringify(note)}\n`)
              .join(''),
          );
          news.emit('more');
        },
        flush: () => file.sync(),
        async close() {
          await file.close();
          if (written.get(containerId) === news) written.delete(containerId);
          news.emit('end');
        },
      };
    },

    async *read({ containerId }, options, signal) {
      const news = written.get(containerId);
      let over = news === undefined;
      news?.once('end', () => {
        over = true;
      });
      let wanted: LogReadOptions = options;
      let position = 0;
      for (;;) {
        const last = over;
        const { text, end } = await readFrom(pathOf(containerId), position);
        position = end;
        const entries = choose(text, wanted);
        if (entries.length > 0) yield entries;
        if (!options.follow || last || signal.aborted) return;
        // The tail is counted from where reading began.
        wanted = { ...options, tail: undefined };
        if (!over) await newsOf(news!, signal);
      }
    },
  };
}

async function newsOf(news: EventEmitter, signal: AbortSignal): Promise<void> {
  // A write between reading and waiting is found a moment later.
  const soon = AbortSignal.any([signal, AbortSignal.timeout(500)]);
  await Promise.race([once(news, 'more', { signal: soon }), once(news, 'end', { signal: soon })]).catch(
    () => undefined,
  );
}

/** Whole lines of a file from a position on. */
async function readFrom(path: string, position: number): Promise<{ text: string; end: number }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const data = Buffer.alloc(size - position);
    await file.read(data, 0, data.length, position);
    const whole = data.subarray(0, data.lastIndexOf(10) + 1);
    return { text: whole.toString('utf8'), end: position + whole.length };
  } finally {
    await file.close();
  }
}

function choose(text: string, { sinceNs, untilNs, tail }: LogReadOptions): LogEntry[] {
  const entries = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Note)
    .map(([time, source, line]): LogEntry => ({ timeNs: BigInt(time), source, line: Buffer.from(line) }))
    .filter(
      ({ timeNs }) => (sinceNs === undefined || timeNs >= sinceNs) && (untilNs === undefined || timeNs <= untilNs),
    );
  return tail === undefined ? entries : entries.slice(Math.max(0, entries.length - tail));
}

function notesOf({ source, timeNs, data, partial }: LogBatch, redact: string | undefined): Note[] {
  const text = data.toString('utf8');
  const pieces = partial === undefined ? (text.match(/[^\n]*\n|[^\n]+$/g) ?? []) : [text];
  return pieces.map((piece) => [
    String(timeNs),
    source,
    redact === undefined || redact === '' ? piece : piece.replaceAll(redact, '█'.repeat(redact.length)),
  ]);
}

import type { LogEntry, LogReadOptions } from '../contracts/log-driver';
import { LogFile } from './log-file';
import type { LogFormat } from './log-format';
import { rotatedFiles } from './rotated-files';
import type { RotatingLog } from './rotating-log';

/**
 * Reads a log through all its files, oldest entries first.
 *
 * @param logPath the file being written; rotated ones stand beside it
 * @param live the log's writer, when there is one: only then can there be more to follow
 */
export async function* readLog(
  logPath: string,
  live: RotatingLog | undefined,
  format: LogFormat,
  options: LogReadOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly LogEntry[]> {
  await live?.flush();
  const { files, generation } = await openFiles(logPath, live, format);
  try {
    const first = options.tail === undefined ? 0 : await skipForTail(files, options.tail);
    for (const [index, file] of files.entries()) {
      if (index < first) continue;
      for await (const entries of filtered(file, format, options)) {
        if (signal.aborted) return;
        if (entries.length > 0) yield entries;
        if (entries.isOver) return;
      }
    }
    const last = files.at(-1);
    if (!options.follow || live === undefined || last === undefined) return;
    yield* follow(last, generation, live, format, options, signal, (file) => files.push(file));
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

/** Opens every file there is, so that a rotation cannot take any away. */
async function openFiles(logPath: string, live: RotatingLog | undefined, format: LogFormat) {
  const openAll = async () => {
    const files: LogFile[] = [];
    for (const { path, compressed } of await rotatedFiles(logPath).catch(() => [])) {
      const file = await LogFile.open(path, compressed, format);
      if (file !== undefined) files.push(file);
    }
    const current = await LogFile.open(logPath, false, format);
    if (current !== undefined) files.push(current);
    return { files, generation: live?.generation ?? 0 };
  };
  return live === undefined ? openAll() : live.withStableFiles(openAll);
}

/** @returns the index of the first file that is needed */
async function skipForTail(files: readonly LogFile[], tail: number): Promise<number> {
  let wanted = tail;
  for (let index = files.length - 1; index >= 0; index--) {
    wanted -= await files[index]!.skipToLast(wanted);
    if (wanted <= 0) return index;
  }
  return 0;
}

/** A timer may fire a little before its time by the wall clock; it is set once, so it is set late. */
const TIMER_EARLY_MS = 5;

type Entries = readonly LogEntry[] & { readonly isOver?: boolean };

async function* filtered(
  file: LogFile,
  format: LogFormat,
  { sinceNs, untilNs }: LogReadOptions,
): AsyncGenerator<Entries> {
  for await (const { data, end } of file.blocks()) {
    const all = format.decode(data, end);
    if (sinceNs === undefined && untilNs === undefined) {
      yield all;
      continue;
    }
    const late = untilNs === undefined ? -1 : all.findIndex(({ timeNs }) => timeNs > untilNs);
    const early = late < 0 ? all : all.slice(0, late);
    const entries = sinceNs === undefined ? early : early.filter(({ timeNs }) => timeNs >= sinceNs);
    yield late < 0 ? entries : Object.assign(entries, { isOver: true });
  }
}

async function* follow(
  start: LogFile,
  startGeneration: number,
  live: RotatingLog,
  format: LogFormat,
  options: LogReadOptions,
  signal: AbortSignal,
  opened: (file: LogFile) => void,
): AsyncGenerator<readonly LogEntry[]> {
  let file: LogFile | undefined = start;
  file.readOn();
  let generation = startGeneration;
  let wake: () => void = () => undefined;
  let changed = true;
  const notice = () => {
    changed = true;
    wake();
  };
  const leave = live.onChange(notice);
  const untilMs = options.untilNs === undefined ? undefined : Number(options.untilNs / 1_000_000n) - Date.now();
  const timer =
    untilMs === undefined
      ? undefined
      : setTimeout(notice, Math.min(Math.max(untilMs, 0) + TIMER_EARLY_MS, 2 ** 31 - 1));
  signal.addEventListener('abort', notice, { once: true });
  try {
    while (!signal.aborted) {
      changed = false;
      // Looked at before reading: what is complete now is complete after it.
      const isComplete = live.generation > generation;
      const isClosed = live.closed;
      if (file !== undefined) {
        for await (const entries of filtered(file, format, options)) {
          if (entries.length > 0) yield entries;
          if (entries.isOver || signal.aborted) return;
        }
      }
      if (isComplete) {
        generation++;
        await file?.close();
        file = await live.withStableFiles(() => openGeneration(live, generation, format));
        if (file === undefined) continue;
        file.readOn();
        opened(file);
        continue;
      }
      if (isClosed || (untilMs !== undefined && BigInt(Date.now()) * 1_000_000n > options.untilNs!)) return;
      if (!changed)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    clearTimeout(timer);
    leave();
    signal.removeEventListener('abort', notice);
  }
}

/** Undefined when it was rotated away before we came to it. */
async function openGeneration(live: RotatingLog, generation: number, format: LogFormat): Promise<LogFile | undefined> {
  const age = live.generation - generation;
  if (age === 0) return LogFile.open(live.path, false, format);
  const rotated = (await rotatedFiles(live.path)).find(({ number }) => number === age);
  return rotated && LogFile.open(rotated.path, rotated.compressed, format);
}

import type { LogBatch } from '../contracts/log-driver';
import type { WireLogEntry } from './log-entry';

const newline = Buffer.from('\n');

/** An entry as log drivers take it: with its newline, unless it is a piece that another follows. */
export function toLogBatch({ source, timeNs, line, partial }: WireLogEntry): LogBatch {
  if (partial === undefined) return { source, timeNs, data: Buffer.concat([line, newline]) };
  return { source, timeNs, partial, data: partial.last ? Buffer.concat([line, newline]) : line };
}

/** Entries as batches, those that follow each other in one stream at one time together: what `encodeLogBatch` took apart. */
export function toLogBatches(entries: readonly WireLogEntry[]): LogBatch[] {
  const batches: LogBatch[] = [];
  for (let at = 0; at < entries.length; ) {
    const first = entries[at]!;
    const { source, timeNs, partial } = first;
    let end = at + 1;
    const belongs = (entry: WireLogEntry | undefined) =>
      entry !== undefined && entry.partial === undefined && entry.source === source && entry.timeNs === timeNs;
    while (partial === undefined && belongs(entries[end])) end++;
    if (end === at + 1) batches.push(toLogBatch(first));
    else {
      const lines = entries.slice(at, end).flatMap(({ line }) => [line, newline]);
      batches.push({ source, timeNs, data: Buffer.concat(lines) });
    }
    at = end;
  }
  return batches;
}

import type { LogBatch } from '../contracts/log-driver';

const NEWLINE = 10;

/** The messages of a batch, each without its newline: for drivers that send one message for each line. */
export function* messagesOf({ data, partial }: Pick<LogBatch, 'data' | 'partial'>): Generator<Buffer> {
  if (partial !== undefined) {
    yield data.at(-1) === NEWLINE ? data.subarray(0, -1) : data;
    return;
  }
  for (let at = 0; at < data.length; ) {
    const newline = data.indexOf(NEWLINE, at);
    const end = newline < 0 ? data.length : newline;
    yield data.subarray(at, end);
    at = end + 1;
  }
}

import type { LeftOutput, LogEntry, LogReadOptions, LogSource } from '@gantry/sdk';
import { LineAssembler } from './line-assembler';

const NEWLINE = 10;
/** Entries of the container's other stream may stand between. */
const OTHERS = 128 * 1024;

type Read = (options: LogReadOptions) => AsyncIterable<readonly LogEntry[]>;

/**
 * How many messages of what an earlier daemon left it had stored already when it was killed. It stored them in order,
 * with the time it marked them with, so they are counted in the log.
 */
export async function storedMessages(source: LogSource, left: LeftOutput, read: Read): Promise<number> {
  const { markedNs } = left;
  if (markedNs === undefined) return 0;
  const ordinal = left.note.readUInt32LE();
  // The pieces of a long line have the time of its first, and some were let go before.
  const sinceNs = ordinal > 0 ? left.note.readBigInt64LE(4) : markedNs;
  const messages = messagesOf(source, left);
  const found: LogEntry[] = [];
  for await (const entries of read({ follow: false, sinceNs, tail: messages.length + ordinal + OTHERS }))
    found.push(...entries.filter((entry) => entry.source === source));
  const before = Math.max(0, ordinal - 1);
  const counted = Math.min(Math.max(0, found.length - before), messages.length);
  return counted === 0 ? 0 : aligned(messages, counted, found.at(-1)!.line);
}

/** The first ones may have been rotated away meanwhile: then the last that is there tells how many there were. */
function aligned(messages: readonly Buffer[], counted: number, last: Buffer): number {
  for (let count = counted; count <= messages.length; count++) if (messages[count - 1]!.equals(last)) return count;
  return counted;
}

function messagesOf(source: LogSource, left: LeftOutput): Buffer[] {
  const messages: Buffer[] = [];
  const assembler = new LineAssembler(source, ({ data, partial }) => {
    if (partial !== undefined) messages.push(data);
    else
      for (let at = 0; at < data.length; at = data.indexOf(NEWLINE, at) + 1)
        messages.push(data.subarray(at, data.indexOf(NEWLINE, at) + 1));
  });
  assembler.resume(left.note);
  assembler.push(left.data, 0n);
  // Only the end of the stream lets an unfinished line go.
  assembler.end(0n);
  return messages;
}

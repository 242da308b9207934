import type { LogBatch, LogEntry } from '../contracts/log-driver';

const NEWLINE = 10;
/**
 * A plugin that has more than this in its hands when it dies loses what is beyond. What nobody has read yet counts too:
 * a full FIFO, and the batches that wait for room in it.
 */
const WINDOW_BYTES = 1024 * 1024;

/** The last that was sent to a log plugin: what it took and had not stored when it died can be sent again from here. */
export class SentWindow {
  private readonly batches: LogBatch[] = [];
  private bytes = 0;
  /** The time of the last that is not here any more; others of that time cannot be counted. */
  private droppedNs = -1n;

  add(batch: LogBatch): void {
    this.batches.push(batch);
    this.bytes += batch.data.length;
    while (this.bytes > WINDOW_BYTES && this.batches.length > 1) {
      const { data, timeNs } = this.batches.shift()!;
      this.bytes -= data.length;
      this.droppedNs = timeNs;
    }
  }

  /** What the plugin must be asked for, to tell what it has; undefined when nothing was sent. */
  get sinceNs(): bigint | undefined {
    let least: bigint | undefined;
    for (const { timeNs } of this.comparable()) if (least === undefined || timeNs < least) least = timeNs;
    return least;
  }

  /**
   * What the plugin does not have: it stores in the order it was sent.
   *
   * @param found what it has since `sinceNs`
   * @param unread messages at the end that it cannot have, since nobody has read them
   */
  missing(found: readonly LogEntry[], unread: number): LogBatch[] {
    const sent = this.comparable().flatMap(messagesOf);
    const end = Math.max(0, sent.length - unread);
    const last = found.at(-1);
    if (last === undefined) return sent.slice(0, end);
    // Told by the time of the last one alone, and how many have it: the clock may have been set back meanwhile.
    let same = found.reduce((sum, { timeNs, line }) => sum + (timeNs === last.timeNs ? linesOf(line) : 0), 0);
    const index = sent.findIndex(({ timeNs }) => timeNs === last.timeNs && --same === 0);
    // A plugin with times or lines of its own cannot be understood by counting.
    return index < 0 ? [] : sent.slice(index + 1, end);
  }

  /** These last messages were given back: somebody else sends them. */
  forgetLast(messages: number): void {
    for (let left = messages; left > 0; ) {
      const last = this.batches.pop();
      if (last === undefined) return;
      this.bytes -= last.data.length;
      const own = messagesOf(last);
      if (own.length > left) {
        const data = Buffer.concat(own.slice(0, own.length - left).map((message) => message.data));
        this.batches.push({ ...last, data });
        this.bytes += data.length;
      }
      left -= own.length;
    }
  }

  private comparable(): LogBatch[] {
    return this.batches.filter(({ timeNs }) => timeNs !== this.droppedNs);
  }
}

/** What a plugin has stored since a time. */
export type ReadStored = (sinceNs: bigint) => AsyncIterable<readonly LogEntry[]>;

/** Asks the plugin what it has, and tells what it lost. @param unread as for `SentWindow.missing` */
export async function lostMessages(
  sent: SentWindow,
  read: ReadStored | undefined,
  unread: () => number,
): Promise<LogBatch[]> {
  const { sinceNs } = sent;
  if (read === undefined || sinceNs === undefined) return [];
  const found: LogEntry[] = [];
  for await (const entries of read(sinceNs)) found.push(...entries);
  return sent.missing(found, unread());
}

/** Some plugins keep several in one entry. */
function linesOf(line: Buffer): number {
  let count = 0;
  for (let at = line.indexOf(NEWLINE); at >= 0; at = line.indexOf(NEWLINE, at + 1)) count++;
  return Math.max(count, 1);
}

/** One batch for each message, which is what becomes an entry. */
export function messagesOf(batch: LogBatch): LogBatch[] {
  if (batch.partial !== undefined) return [batch];
  const messages: LogBatch[] = [];
  for (let at = 0; at < batch.data.length; ) {
    const newline = batch.data.indexOf(NEWLINE, at);
    const end = newline < 0 ? batch.data.length : newline + 1;
    messages.push({ ...batch, data: batch.data.subarray(at, end) });
    at = end;
  }
  return messages;
}

import type { LogBatch, LogWriter } from '../contracts/log-driver';
import { errorKind, unavailable } from '../errors';
import { waitAtMost } from '../lifecycle';
import { messagesOf, UndeliveredError } from '../log-drivers';
import { BatchDelivery } from './message-writer';

/** What is gathered for one post. */
export interface PostingOptions<Message> {
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** The message of a line without its newline, and what it takes in a post; undefined for one that is not sent. */
  encode(line: Buffer, batch: LogBatch): { readonly message: Message; readonly bytes: number } | undefined;
  /**
   * Sends messages, oldest first.
   *
   * @throws unavailable  none arrived, and they may later: they are given back. Any other error: they are lost
   */
  post(messages: readonly Message[]): Promise<void>;
  /** What was lost is told. */
  onLost(error: unknown, messages: number): void;
}

interface Waiting<Message> {
  readonly message: Message;
  readonly bytes: number;
  readonly line: Buffer;
  readonly batch: LogBatch;
  done(): void;
  failed(error: unknown): void;
}

const newline = Buffer.from('\n');
/** What comes within this time goes in one post, unless it is much. */
const GATHER_MS = 50;
const MUCH_BYTES = 16 * 1024;
/** A back end that could not be reached counts as away for so long. */
const AWAY_MS = 250;
/** A closing writer waits this long for a back end that answers. */
const CLOSE_MS = 5000;

/**
 * A writer that posts messages to a back end, many at a time, one post after the other. Each is let go when it is there.
 * When it is away all are given back: nothing is kept in memory for it.
 */
export class PostingWriter<Message> implements LogWriter {
  readonly isPipelined = true;
  private awayUntil = 0;
  private readonly queue: Waiting<Message>[] = [];
  private queuedBytes = 0;
  private running: Promise<void> | undefined;
  private isClosed = false;
  private hurry: () => void = () => undefined;

  constructor(private readonly options: PostingOptions<Message>) {}

  write(batch: LogBatch): void | Promise<void> {
    if (this.isClosed) throw unavailable('the log writer is closed');
    const delivery = new BatchDelivery(batch);
    for (const line of messagesOf(batch)) {
      const encoded = this.options.encode(line, batch);
      if (encoded === undefined) continue;
      delivery.track(
        line,
        () => new Promise((done, failed) => this.queue.push({ ...encoded, line, batch, done, failed })),
      );
      this.queuedBytes += encoded.bytes;
    }
    if (this.queue.length === 0) return;
    if (this.queuedBytes >= MUCH_BYTES) this.hurry();
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
    return delivery.done();
  }

  get isAway(): boolean {
    return performance.now() < this.awayUntil;
  }

  async flush(): Promise<void> {
    this.hurry();
    await this.running;
  }

  async close(): Promise<void> {
    this.hurry();
    await waitAtMost(CLOSE_MS, this.running ?? Promise.resolve());
    this.isClosed = true;
    this.hurry();
    const left = this.queue.splice(0);
    for (const { done } of left) done();
    if (left.length > 0) throw new UndeliveredError('the log back end did not take everything', left.map(asBatch));
  }

  private async run(): Promise<void> {
    await this.wait(this.queuedBytes >= MUCH_BYTES ? 0 : GATHER_MS);
    while (this.queue.length > 0 && !this.isClosed) {
      const post = this.nextPost();
      try {
        await this.options.post(post.map(({ message }) => message));
      } catch (error) {
        if (errorKind(error) === 'unavailable') {
          this.giveBack(error);
          return;
        }
        this.options.onLost(error, post.length);
      }
      // A close that did not wait has taken them back.
      if (this.isClosed) return;
      this.queue.splice(0, post.length);
      for (const { bytes, done } of post) {
        this.queuedBytes -= bytes;
        done();
      }
    }
  }

  /** All of them, so that none overtakes those that were refused. */
  private giveBack(error: unknown): void {
    this.awayUntil = performance.now() + AWAY_MS;
    this.queuedBytes = 0;
    for (const { failed } of this.queue.splice(0)) failed(error);
  }

  private nextPost(): Waiting<Message>[] {
    const { maxMessages, maxBytes } = this.options;
    let bytes = 0;
    let count = 0;
    while (count < this.queue.length && count < maxMessages) {
      bytes += this.queue[count]!.bytes;
      if (bytes > maxBytes && count > 0) break;
      count++;
    }
    return this.queue.slice(0, count);
  }

  private wait(ms: number): Promise<void> {
    if (ms === 0 || this.isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.hurry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

const asBatch = ({ line, batch }: Waiting<unknown>): LogBatch => ({
  ...batch,
  data: batch.partial !== undefined && !batch.partial.last ? line : Buffer.concat([line, newline]),
});

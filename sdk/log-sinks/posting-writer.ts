import type { LogBatch, LogWriter } from '../contracts/log-driver';
import { errorKind, unavailable } from '../errors';
import { messagesOf, UndeliveredError } from '../log-drivers';

/** What is gathered for one post. */
export interface PostingOptions<Message> {
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** The message of a line without its newline, and what it takes in a post; undefined for one that is not sent. */
  encode(line: Buffer, batch: LogBatch): { readonly message: Message; readonly bytes: number } | undefined;
  /**
   * Sends messages, oldest first.
   *
   * @throws unavailable  none arrived, and they may later: they are sent again. Any other error: they are lost
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
}

const newline = Buffer.from('\n');
/** What comes within this time goes in one post, unless it is much. */
const GATHER_MS = 50;
const MUCH_BYTES = 16 * 1024;
const MIN_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 15_000;
/** A closing writer waits this long for a back end that answers. */
const CLOSE_MS = 5000;
const AWAY_MS = 300;

/** A writer that posts messages to a back end, many at a time, one post after the other. Each is let go when it is there. */
export class PostingWriter<Message> implements LogWriter {
  isAway = false;
  private readonly queue: Waiting<Message>[] = [];
  private queuedBytes = 0;
  private running: Promise<void> | undefined;
  private isClosed = false;
  private hurry: () => void = () => undefined;

  constructor(private readonly options: PostingOptions<Message>) {}

  write(batch: LogBatch): void | Promise<void> {
    if (this.isClosed) throw unavailable('the log writer is closed');
    const waits: Promise<void>[] = [];
    for (const line of messagesOf(batch)) {
      const encoded = this.options.encode(line, batch);
      if (encoded === undefined) continue;
      waits.push(new Promise((done) => this.queue.push({ ...encoded, line, batch, done })));
      this.queuedBytes += encoded.bytes;
    }
    if (waits.length === 0) return;
    if (this.queuedBytes >= MUCH_BYTES) this.hurry();
    this.running ??= this.run().finally(() => {
      this.running = undefined;
    });
    return Promise.all(waits).then(() => undefined);
  }

  async flush(): Promise<void> {
    this.hurry();
    await this.running;
  }

  async close(): Promise<void> {
    const deadline = performance.now() + CLOSE_MS;
    let awaySince: number | undefined;
    this.hurry();
    while (this.running !== undefined && performance.now() < deadline) {
      awaySince = this.isAway ? (awaySince ?? performance.now()) : undefined;
      if (awaySince !== undefined && performance.now() - awaySince > AWAY_MS) break;
      await pause(10);
    }
    this.isClosed = true;
    this.hurry();
    const left = this.queue.splice(0);
    for (const { done } of left) done();
    if (left.length > 0) throw new UndeliveredError('the log back end did not take everything', left.map(asBatch));
  }

  private async run(): Promise<void> {
    await this.wait(this.queuedBytes >= MUCH_BYTES ? 0 : GATHER_MS);
    for (let backoffMs = MIN_BACKOFF_MS; this.queue.length > 0 && !this.isClosed; ) {
      const post = this.nextPost();
      try {
        await this.options.post(post.map(({ message }) => message));
        this.isAway = false;
        backoffMs = MIN_BACKOFF_MS;
      } catch (error) {
        if (errorKind(error) === 'unavailable') {
          this.isAway = true;
          await this.wait(backoffMs);
          backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
          continue;
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

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

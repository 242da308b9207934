import { PassThrough } from 'node:stream';
import { unavailable } from '@gantry/sdk';
import { StreamSink } from '@gantry/sdk/log-sinks';
import { decodeMultiStream } from '@msgpack/msgpack';
import type { ForwardEvent } from './event-encoder';
import type { FluentdOptions } from './options';

/** A receiver that does not acknowledge within this time gets everything again over a new connection. */
const ACK_MS = 10_000;
/** Many answers may arrive at once; a single one is some forty bytes. */
const LARGEST_ANSWER_BYTES = 1024 * 1024;

interface Unacknowledged {
  readonly event: ForwardEvent;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Sends events over one connection, again when it broke before they were acknowledged. */
export class ForwardClient {
  private readonly unacknowledged = new Map<string, Unacknowledged>();
  private answers = this.listen();
  /** Since the last whole answer. */
  private answerBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private isClosing = false;
  /** What the kernel does not take at once: one event after the other, so that each has the whole time limit. */
  private queue: Promise<void> | undefined;

  private constructor(
    private readonly sink: () => StreamSink,
    private readonly writeTimeoutMs: number,
    private readonly onLate: () => void,
  ) {}

  /** @throws unavailable  the receiver cannot be reached, unless the connection is asynchronous */
  static async open(options: FluentdOptions, onLate: () => void): Promise<ForwardClient> {
    const { target, isAsync, retryWaitMs, maxRetries, writeTimeoutMs } = options;
    let sink: StreamSink | undefined;
    const client = new ForwardClient(() => sink!, writeTimeoutMs, onLate);
    sink = await StreamSink.open(target, {
      attempts: maxRetries + 1,
      retryDelayMs: retryWaitMs,
      connectNow: !isAsync,
      onData: (chunk) => client.hear(chunk),
      onLost: () => client.lost(),
    });
    return client;
  }

  /** Resolves, or returns, when the event is sent and, where it asks for that, acknowledged. */
  send(event: ForwardEvent): void | Promise<void> {
    const { chunk } = event;
    if (chunk === undefined) return this.written(event.bytes);
    const acknowledged = new Promise<void>((done, failed) => this.unacknowledged.set(chunk, { event, done, failed }));
    this.watch();
    this.transmit(event);
    return acknowledged;
  }

  get isAway(): boolean {
    return this.sink().isAway;
  }

  /** What waits for a connection fails. */
  giveUp(): void {
    this.sink().giveUp();
  }

  async close(): Promise<void> {
    this.isClosing = true;
    clearTimeout(this.timer);
    await this.sink().close();
    this.failAll(unavailable('the connection was closed before the log receiver acknowledged'));
  }

  private transmit(event: ForwardEvent): void {
    this.written(event.bytes)?.catch((error) => {
      const waiting = this.unacknowledged.get(event.chunk!);
      this.unacknowledged.delete(event.chunk!);
      waiting?.failed(error);
    });
  }

  private written(bytes: Buffer): void | Promise<void> {
    let written: Promise<void>;
    if (this.queue === undefined) {
      const sent = this.sink().send(bytes);
      if (sent === undefined) return;
      written = this.inTime(sent);
    } else {
      // When one fails, so do all behind it: none is to overtake what is sent again later.
      written = this.queue.then(() => {
        const sent = this.sink().send(bytes);
        return sent === undefined ? undefined : this.inTime(sent);
      });
    }
    this.queue = written;
    const over = () => {
      if (this.queue === written) this.queue = undefined;
    };
    written.then(over, over);
    return written;
  }

  /** @throws unavailable  it was not taken within the time limit, and its connection is given up */
  private async inTime(sent: Promise<void>): Promise<void> {
    if (this.writeTimeoutMs === 0) return sent;
    const timer = setTimeout(() => {
      this.onLate();
      this.sink().reset();
    }, this.writeTimeoutMs).unref();
    await sent.finally(() => clearTimeout(timer));
  }

  private lost(): void {
    this.answers.destroy();
    this.answers = this.listen();
    this.answerBytes = 0;
    if (this.isClosing) return;
    for (const { event } of this.unacknowledged.values()) this.transmit(event);
  }

  private watch(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (this.unacknowledged.size === 0) return;
      this.sink().reset();
      this.watch();
    }, ACK_MS).unref();
  }

  private hear(chunk: Buffer): void {
    this.answerBytes += chunk.length;
    if (this.answerBytes > LARGEST_ANSWER_BYTES) this.sink().reset();
    else this.answers.write(chunk);
  }

  /** Reads the answers of one connection, wherever they are cut into pieces. */
  private listen(): PassThrough {
    const answers = new PassThrough();
    const read = async () => {
      for await (const value of decodeMultiStream(answers)) {
        this.answerBytes = 0;
        this.acknowledge((value as { ack?: unknown } | null)?.ack);
      }
    };
    read().catch(() => {
      // Not the protocol; or the end of this connection, which has another one in its place by then.
      if (this.answers === answers) this.sink().reset();
    });
    return answers;
  }

  private acknowledge(id: unknown): void {
    const waiting = typeof id === 'string' ? this.unacknowledged.get(id) : undefined;
    if (waiting === undefined) return;
    this.unacknowledged.delete(id as string);
    waiting.done();
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.unacknowledged.size > 0) this.watch();
  }

  private failAll(error: unknown): void {
    for (const { failed } of this.unacknowledged.values()) failed(error);
    this.unacknowledged.clear();
  }
}

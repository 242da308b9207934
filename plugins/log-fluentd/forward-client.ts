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

  private constructor(
    private readonly sink: () => StreamSink,
    private readonly writeTimeoutMs: number,
  ) {}

  /** @throws unavailable  the receiver cannot be reached, unless the connection is asynchronous */
  static async open(options: FluentdOptions): Promise<ForwardClient> {
    const { target, isAsync, retryWaitMs, maxRetries, writeTimeoutMs } = options;
    let sink: StreamSink | undefined;
    const client = new ForwardClient(() => sink!, writeTimeoutMs);
    sink = await StreamSink.open(target, {
      attempts: maxRetries + 1,
      retryDelayMs: retryWaitMs,
      connectNow: !isAsync,
      onData: (chunk) => client.hear(chunk),
      onLost: () => client.lost(),
    });
    return client;
  }

  /** Resolves when the event is sent and, where it asks for that, acknowledged. */
  async send(event: ForwardEvent): Promise<void> {
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

  async close(): Promise<void> {
    this.isClosing = true;
    clearTimeout(this.timer);
    await this.sink().close();
    this.giveUp(unavailable('the connection was closed before the log receiver acknowledged'));
  }

  private transmit(event: ForwardEvent): void {
    void this.written(event.bytes).catch((error) => {
      const waiting = this.unacknowledged.get(event.chunk!);
      this.unacknowledged.delete(event.chunk!);
      waiting?.failed(error);
    });
  }

  private async written(bytes: Buffer): Promise<void> {
    const sent = this.sink().send(bytes);
    if (sent === undefined) return;
    const { writeTimeoutMs } = this;
    let late = false;
    const giveUp = () => {
      late = true;
      this.sink().reset();
    };
    const timer = writeTimeoutMs > 0 ? setTimeout(giveUp, writeTimeoutMs).unref() : undefined;
    await sent.finally(() => clearTimeout(timer));
    // What is acknowledged is sent again by whoever waits for that.
    if (late && this.unacknowledged.size === 0 && !this.isClosing) await this.written(bytes);
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

  private giveUp(error: unknown): void {
    for (const { failed } of this.unacknowledged.values()) failed(error);
    this.unacknowledged.clear();
  }
}

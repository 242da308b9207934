import { unavailable } from '@gantry/sdk';
import { StreamSink } from '@gantry/sdk/log-sinks';
import { decodeMulti } from '@msgpack/msgpack';
import type { ForwardEvent } from './event-encoder';
import type { FluentdOptions } from './options';

/** A receiver that does not acknowledge within this time gets everything again over a new connection. */
const ACK_MS = 10_000;
const LARGEST_ANSWER_BYTES = 64 * 1024;

interface Unacknowledged {
  readonly event: ForwardEvent;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Sends events over one connection, again when it broke before they were acknowledged. */
export class ForwardClient {
  private readonly unacknowledged = new Map<string, Unacknowledged>();
  private answer: Buffer = Buffer.alloc(0);
  private timer: NodeJS.Timeout | undefined;
  private isClosing = false;

  private constructor(private readonly sink: () => StreamSink) {}

  /** @throws unavailable  the receiver cannot be reached, unless the connection is asynchronous */
  static async open({ target, isAsync, retryWaitMs, maxRetries }: FluentdOptions): Promise<ForwardClient> {
    let sink: StreamSink | undefined;
    const client = new ForwardClient(() => sink!);
    sink = await StreamSink.open(target, {
      attempts: maxRetries + 1,
      retryDelayMs: retryWaitMs,
      connectNow: !isAsync,
      onData: (chunk) => client.acknowledge(chunk),
      onLost: () => client.lost(),
    });
    return client;
  }

  /** Resolves when the event is sent and, where it asks for that, acknowledged. */
  async send(event: ForwardEvent): Promise<void> {
    const { chunk } = event;
    if (chunk === undefined) return this.sink().send(event.bytes);
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
    void Promise.resolve(this.sink().send(event.bytes)).catch((error) => {
      const waiting = this.unacknowledged.get(event.chunk!);
      this.unacknowledged.delete(event.chunk!);
      waiting?.failed(error);
    });
  }

  private lost(): void {
    this.answer = Buffer.alloc(0);
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

  private acknowledge(chunk: Buffer): void {
    this.answer = Buffer.concat([this.answer, chunk]);
    for (const value of this.wholeAnswers()) {
      const id = (value as { ack?: unknown } | null)?.ack;
      const waiting = typeof id === 'string' ? this.unacknowledged.get(id) : undefined;
      if (waiting === undefined) continue;
      this.unacknowledged.delete(id as string);
      waiting.done();
    }
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.unacknowledged.size > 0) this.watch();
  }

  private wholeAnswers(): unknown[] {
    const values: unknown[] = [];
    try {
      for (const value of decodeMulti(this.answer)) values.push(value);
      this.answer = Buffer.alloc(0);
    } catch {
      // The last one is cut off: decode it with what follows. The ones before are known by then.
      if (this.answer.length > LARGEST_ANSWER_BYTES) this.sink().reset();
    }
    return values;
  }

  private giveUp(error: unknown): void {
    for (const { failed } of this.unacknowledged.values()) failed(error);
    this.unacknowledged.clear();
  }
}

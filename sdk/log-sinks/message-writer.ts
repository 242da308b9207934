import type { LogBatch, LogWriter } from '../contracts/log-driver';
import { errorKind, errorMessage } from '../errors';
import { messagesOf, UndeliveredError } from '../log-drivers';
import type { LogSink } from './log-sink';

const newline = Buffer.from('\n');

/**
 * A writer that sends one message for each line, or piece of a line.
 *
 * @param sink   closed with the writer
 * @param encode the message for a line without its newline, or undefined for one that is not to be sent
 */
export function messageWriter(sink: LogSink, encode: (line: Buffer, batch: LogBatch) => Buffer | undefined): LogWriter {
  return {
    write(batch) {
      const delivery = new BatchDelivery(batch);
      for (const line of messagesOf(batch)) {
        const message = encode(line, batch);
        if (message !== undefined) delivery.track(line, () => sink.send(message));
      }
      return delivery.done();
    },
    get isAway() {
      return sink.isAway ?? false;
    },
    async takeBack() {
      // The writes that wait reject with what did not go out.
      sink.giveUp?.();
      return [];
    },
    async flush() {},
    close: () => sink.close(),
  };
}

/** The sending of a batch, message by message: what does not get out is told, and nothing else is sent again. */
export class BatchDelivery {
  private readonly waits: Promise<void>[] = [];
  private readonly missed: { readonly line: Buffer; readonly order: number }[] = [];
  private count = 0;
  private cause: unknown;

  constructor(private readonly batch: LogBatch) {}

  /** @param line without its newline */
  track(line: Buffer, send: () => void | Promise<void>): void {
    const order = this.count++;
    const miss = (error: unknown) => {
      this.missed.push({ line, order });
      this.cause ??= error;
    };
    try {
      const sent = send();
      if (sent !== undefined) this.waits.push(sent.catch(miss));
    } catch (error) {
      miss(error);
    }
  }

  /** @throws UndeliveredError  with the lines that did not get out, when the back end is away */
  done(): void | Promise<void> {
    if (this.waits.length > 0) return Promise.all(this.waits).then(() => this.judge());
    this.judge();
  }

  private judge(): void {
    if (this.missed.length === 0) return;
    const { cause, batch } = this;
    if (errorKind(cause) !== 'unavailable') throw cause;
    const lines = [...this.missed].sort((a, b) => a.order - b.order).flatMap(({ line }) => [line, newline]);
    const left = batch.partial === undefined ? { ...batch, data: Buffer.concat(lines) } : batch;
    throw new UndeliveredError(errorMessage(cause), [left], cause);
  }
}

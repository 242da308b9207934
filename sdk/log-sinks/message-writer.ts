import type { LogBatch, LogWriter } from '../contracts/log-driver';
import { messagesOf } from '../log-drivers';
import type { LogSink } from './log-sink';

/**
 * A writer that sends one message for each line, or piece of a line.
 *
 * @param sink   closed with the writer
 * @param encode the message for a line without its newline, or undefined for one that is not to be sent
 */
export function messageWriter(sink: LogSink, encode: (line: Buffer, batch: LogBatch) => Buffer | undefined): LogWriter {
  return {
    write(batch) {
      const waits: Promise<void>[] = [];
      for (const line of messagesOf(batch)) {
        const message = encode(line, batch);
        const wait = message === undefined ? undefined : sink.send(message);
        if (wait !== undefined) waits.push(wait);
      }
      if (waits.length > 0) return Promise.all(waits).then(() => undefined);
    },
    async flush() {},
    close: () => sink.close(),
  };
}

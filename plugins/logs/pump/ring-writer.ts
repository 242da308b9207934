import type { LogBatch, LogWriter } from '@gantry/sdk';
import { errorMessage, type Logger } from '@gantry/sdk';

const NEWLINE = 10;
/** How long a closing writer may take to get rid of what is buffered. */
const DRAIN_MS = 10_000;

/**
 * `mode=non-blocking`: never holds the container back. Messages that find the buffer full are dropped, whole
 * ones; the buffered ones stay in order.
 */
export class RingWriter implements LogWriter {
  private queue: LogBatch[] = [];
  private queuedBytes = 0;
  private running: Promise<void> | undefined;
  /** Messages that found no room. */
  dropped = 0;

  constructor(
    private readonly inner: LogWriter,
    private readonly maxBytes: number,
    private readonly log: Logger,
  ) {}

  write(batch: LogBatch): void {
    const accepted = this.fitting(batch);
    if (accepted === undefined) return;
    this.queue.push(accepted);
    this.queuedBytes += accepted.data.length;
    this.running ??= this.run();
  }

  async flush(): Promise<void> {
    await this.running;
    await this.inner.flush();
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_MS);
    });
    await Promise.race([this.running, late]);
    clearTimeout(timer);
    await this.inner.close();
    if (this.dropped > 0)
      this.log.warn('log messages were dropped because the buffer was full', { dropped: this.dropped });
  }

  private async run(): Promise<void> {
    for (let batch = this.queue.shift(); batch !== undefined; batch = this.queue.shift()) {
      try {
        await this.inner.write(batch);
      } catch (error) {
        this.log.error('a log message was not written', { error: errorMessage(error) });
      }
      this.queuedBytes -= batch.data.length;
    }
    this.running = undefined;
  }

  /** The leading messages that there is room for. A message too big for an empty buffer is let through. */
  private fitting(batch: LogBatch): LogBatch | undefined {
    const room = this.maxBytes - this.queuedBytes;
    if (batch.data.length <= room) return { ...batch, data: Buffer.from(batch.data) };
    if (batch.partial !== undefined) {
      if (this.queuedBytes === 0) return batch;
      this.dropped++;
      return undefined;
    }
    let end = room > 0 ? batch.data.lastIndexOf(NEWLINE, room - 1) + 1 : 0;
    if (end === 0 && this.queuedBytes === 0) end = batch.data.indexOf(NEWLINE) + 1;
    for (let at = batch.data.indexOf(NEWLINE, end); at >= 0; at = batch.data.indexOf(NEWLINE, at + 1)) this.dropped++;
    return end === 0 ? undefined : { ...batch, data: Buffer.from(batch.data.subarray(0, end)) };
  }
}

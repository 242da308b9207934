import type { LogBatch, LogWriter } from '@gantry/sdk';
import { errorMessage, type Logger } from '@gantry/sdk';
import { type DropCounter, messagesIn } from '../dropped-messages';

const NEWLINE = 10;
/** How long a closing writer may take to get rid of what is buffered. */
const DRAIN_MS = 10_000;
/** One that takes nothing for so long is not waited for. */
const STILL_MS = 500;

/**
 * `mode=non-blocking`: never holds the container back. Messages that find the buffer full are dropped, whole
 * ones; the buffered ones stay in order.
 */
export class RingWriter implements LogWriter {
  private queue: LogBatch[] = [];
  private queuedBytes = 0;
  private running: Promise<void> | undefined;
  constructor(
    private readonly inner: LogWriter,
    private readonly maxBytes: number,
    private readonly log: Logger,
    private readonly drops: DropCounter = { add() {}, tell() {} },
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
    await this.drained();
    // What nobody took in time is dropped like what found no room.
    for (const batch of this.queue.splice(0)) this.drops.add(messagesIn(batch));
    this.drops.tell();
    await this.inner.close();
  }

  /** Waits while the writer takes something, not for one that stands still. */
  private async drained(): Promise<void> {
    const startedAt = performance.now();
    for (let before = -1; this.running !== undefined && performance.now() - startedAt < DRAIN_MS; ) {
      if (this.queuedBytes === before) return;
      before = this.queuedBytes;
      let timer: NodeJS.Timeout | undefined;
      const still = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STILL_MS);
      });
      await Promise.race([this.running, still]);
      clearTimeout(timer);
    }
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
      this.drops.add(1);
      return undefined;
    }
    let end = room > 0 ? batch.data.lastIndexOf(NEWLINE, room - 1) + 1 : 0;
    if (end === 0 && this.queuedBytes === 0) end = batch.data.indexOf(NEWLINE) + 1;
    const dropped = messagesIn(batch, end);
    if (dropped > 0) this.drops.add(dropped);
    return end === 0 ? undefined : { ...batch, data: Buffer.from(batch.data.subarray(0, end)) };
  }
}

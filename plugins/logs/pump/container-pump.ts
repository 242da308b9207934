import type { Readable } from 'node:stream';
import { errorMessage, type LogBatch, type Logger, type LogPump, type LogSource, type LogWriter } from '@gantry/sdk';
import { LineAssembler } from './line-assembler';
import { nowNs } from './wall-clock';

type Listener = Parameters<LogPump['subscribe']>[0];

interface Subscriber {
  readonly listener: Listener;
  /** Ends the holds of a listener that left before it took what it was given. */
  readonly holds: Set<() => void>;
}

/** How long a closed pump waits for a driver that takes nothing more. */
const GIVE_UP_MS = 2000;

/** A failing driver is reported this often at most. */
const REPORT_MS = 10_000;

/**
 * Reads a container's streams. Each chunk goes to whoever is attached and, cut into lines, to the driver's
 * writer; the stream it came from stands still until all have taken it.
 */
export class ContainerPump implements LogPump {
  readonly done: Promise<void>;
  private readonly subscribers = new Set<Subscriber>();
  private readonly streams: Readable[];
  private reportedAt = 0;
  private over = false;
  private giveUp!: () => void;
  private readonly givenUp = new Promise<void>((resolve) => {
    this.giveUp = resolve;
  });

  /** @param writer undefined = nothing is kept */
  constructor(
    streams: { readonly stdout: Readable; readonly stderr?: Readable },
    private readonly writer: LogWriter | undefined,
    private readonly log: Logger,
  ) {
    this.streams = [streams.stdout, ...(streams.stderr ? [streams.stderr] : [])];
    const sources: Promise<void>[] = [this.read('stdout', streams.stdout)];
    if (streams.stderr) sources.push(this.read('stderr', streams.stderr));
    this.done = Promise.all(sources).then(() => this.finish());
  }

  subscribe(listener: Listener): () => void {
    const subscriber: Subscriber = { listener, holds: new Set() };
    if (this.over) {
      queueMicrotask(() => listener.ended());
      return () => undefined;
    }
    this.subscribers.add(subscriber);
    return () => {
      this.subscribers.delete(subscriber);
      for (const release of subscriber.holds) release();
    };
  }

  async close(): Promise<void> {
    for (const stream of this.streams) stream.destroy();
    const timer = setTimeout(() => this.giveUp(), GIVE_UP_MS);
    await this.done;
    clearTimeout(timer);
  }

  private read(source: LogSource, stream: Readable): Promise<void> {
    const holds: Promise<void>[] = [];
    const hold = (taken: void | Promise<void>) => {
      if (taken !== undefined) holds.push(taken);
    };
    const assembler =
      this.writer === undefined ? undefined : new LineAssembler(source, (batch) => hold(this.store(batch)));
    const take = (chunk: Buffer) => {
      for (const subscriber of this.subscribers) hold(this.hand(subscriber, source, chunk));
      assembler?.push(chunk, nowNs());
      if (holds.length === 0) return;
      stream.pause();
      void Promise.all(holds.splice(0)).then(() => stream.resume());
    };
    return new Promise((resolve) => {
      stream.on('data', take);
      // 'close' follows both the end and a destroy.
      stream.once('close', () => {
        assembler?.end(nowNs());
        void Promise.race([Promise.all(holds.splice(0)), this.givenUp]).then(() => resolve());
      });
      stream.on('error', (error) => this.report('reading a container stream failed', error));
      if (stream.destroyed) stream.emit('close');
    });
  }

  private hand(subscriber: Subscriber, source: LogSource, chunk: Buffer): void | Promise<void> {
    try {
      const taken = subscriber.listener.data(source, chunk);
      if (taken === undefined) return;
      return new Promise((resolve) => {
        const release = () => {
          subscriber.holds.delete(release);
          resolve();
        };
        subscriber.holds.add(release);
        taken.then(release, (error) => {
          this.report('a listener failed', error);
          release();
        });
      });
    } catch (error) {
      this.report('a listener failed', error);
    }
  }

  private store(batch: LogBatch): void | Promise<void> {
    try {
      const taken = this.writer!.write(batch);
      return taken?.catch((error) => this.report('the log driver failed, output is lost', error));
    } catch (error) {
      this.report('the log driver failed, output is lost', error);
    }
  }

  private async finish(): Promise<void> {
    this.over = true;
    for (const { listener } of this.subscribers) {
      try {
        listener.ended();
      } catch (error) {
        this.report('a listener failed', error);
      }
    }
    this.subscribers.clear();
    try {
      await this.writer?.close();
    } catch (error) {
      this.report('closing the log driver failed', error);
    }
  }

  private report(message: string, error: unknown): void {
    const now = Date.now();
    if (now - this.reportedAt < REPORT_MS) return;
    this.reportedAt = now;
    this.log.error(message, { error: errorMessage(error) });
  }
}

import type { Readable } from 'node:stream';
import {
  errorMessage,
  type LogBatch,
  type Logger,
  type LogPump,
  type LogSource,
  type LogWriter,
  waitAtMost,
} from '@gantry/sdk';
import { LineAssembler } from './line-assembler';
import { isRetained, readRetained } from './retained-reading';
import { skipMessages } from './skip-messages';
import { nowNs } from './wall-clock';

type Listener = Parameters<LogPump['subscribe']>[0];

interface Subscriber {
  readonly listener: Listener;
  /** Ends the holds of a listener that left before it took what it was given. */
  readonly holds: Set<() => void>;
}

/** A stream to read. */
export interface PumpSource {
  readonly source: LogSource;
  readonly stream: Readable;
  /** Messages of what an earlier daemon left of it that are in the log already. */
  readonly stored?: number;
}

/** How long a closed pump goes on with streams that stood still for a driver that takes nothing more, */
const GIVE_UP_MS = 300;
/** how much it takes from each of them, */
const GIVE_UP_BYTES = 1024 * 1024;
/** and how long it waits for the driver's own end. */
const CLOSE_MS = 5000;

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
  /** The streams are at their end. */
  private readonly ended: Promise<unknown>;
  /** Each lets a stream go on that stands still because somebody has not taken what came from it. */
  private readonly held = new Set<() => void>();
  private reportedAt = 0;
  private over = false;
  private isClosing = false;
  private isClosed = false;
  private giveUp!: () => void;
  private readonly givenUp = new Promise<void>((resolve) => {
    this.giveUp = resolve;
  });

  /** @param writer undefined = nothing is kept */
  constructor(
    sources: readonly PumpSource[],
    private readonly writer: LogWriter | undefined,
    private readonly log: Logger,
  ) {
    this.streams = sources.map(({ stream }) => stream);
    this.ended = Promise.all(sources.map((each) => this.read(each)));
    this.done = this.ended.then(() => this.finish());
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
    this.isClosing = true;
    // What stands in the streams goes to the driver, which has to see where it keeps it.
    this.giveUp();
    const isHeld = this.held.size > 0;
    for (const release of this.held) release();
    if (isHeld) await waitAtMost(GIVE_UP_MS, this.ended);
    for (const stream of this.streams) stream.destroy();
    await waitAtMost(CLOSE_MS, this.done);
    if (!this.isClosed) this.log.error('the log driver is still being closed, this goes on in the background');
  }

  private read({ source, stream, stored }: PumpSource): Promise<void> {
    const holds: Promise<void>[] = [];
    const hold = (taken: void | Promise<void>) => {
      if (taken !== undefined) holds.push(taken);
    };
    const settled = (): void | Promise<void> => {
      const waits = holds.splice(0);
      if (waits.length > 0 && !this.isClosing) return this.holdUntil(Promise.all(waits));
    };
    let takenWhileClosing = 0;
    const store = (batch: LogBatch) => hold(this.store(batch));
    const assembler =
      this.writer === undefined ? undefined : new LineAssembler(source, skipMessages(stored ?? 0, store));
    const take = (chunk: Buffer, timeNs: bigint): void | Promise<void> => {
      for (const subscriber of this.subscribers) hold(this.hand(subscriber, source, chunk));
      assembler?.push(chunk, timeNs);
      if (this.isClosing) takenWhileClosing += chunk.length;
      // Somebody who is left behind may print for ever.
      if (takenWhileClosing > GIVE_UP_BYTES) stream.destroy();
      return settled();
    };
    return new Promise((resolve) => {
      // 'close' follows both the end and a destroy.
      stream.once('close', () => {
        // What a daemon that lets go of a running container holds of an unfinished line, the next one finds.
        if (!isRetained(stream) || this.isClosing) assembler?.end(nowNs());
        void Promise.race([Promise.all(holds.splice(0)), this.givenUp]).then(() => resolve());
      });
      stream.on('error', (error) => this.report('reading a container stream failed', error));
      if (stream.destroyed) stream.emit('close');
      else if (assembler !== undefined && isRetained(stream)) readRetained(stream, assembler, take, settled);
      else
        stream.on('data', (chunk: Buffer) => {
          const taken = take(chunk, nowNs());
          if (taken === undefined) return;
          stream.pause();
          void taken.then(() => stream.resume());
        });
    });
  }

  private holdUntil(taken: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const release = () => {
        this.held.delete(release);
        resolve();
      };
      this.held.add(release);
      void taken.then(release);
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
    this.isClosed = true;
  }

  private report(message: string, error: unknown): void {
    const now = Date.now();
    if (now - this.reportedAt < REPORT_MS) return;
    this.reportedAt = now;
    this.log.error(message, { error: errorMessage(error) });
  }
}

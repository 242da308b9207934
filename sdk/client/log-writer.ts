import type { LogBatch, LogInfo, LogWriter } from '../contracts/log-driver';
import { errorMessage, unavailable } from '../errors';
import { UndeliveredError } from '../log-drivers';
import { encodeLogBatch, encodeLogInfo, LogEntryDecoder, logDriverMethods, toLogBatches } from '../wire';
import type { LogFifo } from './log-fifo';
import type { PluginClient } from './plugin-client';
import { noRetry } from './retry';
import { lostMessages, messagesOf, type ReadStored, SentWindow } from './sent-window';

/** How patient to be with a log plugin. */
export interface LogPatience {
  /** How often to look whether the plugin still reads, in milliseconds. */
  readonly watchMs: number;
  /** How long a closing writer waits for the plugin to take what is left. */
  readonly closeMs: number;
  /** How long it waits for a plugin that does not read at all to come back. */
  readonly awayMs: number;
}

/** Longest pause between two attempts to bring a FIFO back to a plugin. */
const MAX_BACKOFF_MS = 5000;
/** A plugin may answer StartLogging before it opens the FIFO. */
const START_MS = 1000;
/** Nobody waits longer for the answer to StopLogging, which a plugin that works gives at once. */
const STOP_MS = 500;
const POLL_MS = 10;

/**
 * Writes to a log plugin. A plugin that went away is told about the FIFO again when it is back (P-LOG-5), and finds in
 * it what it had not read. Until then it is away: whoever writes on fills the FIFO and then waits (P-LOG-4).
 */
export class RemoteLogWriter implements LogWriter {
  private readonly timer: NodeJS.Timeout;
  private closing: Promise<void> | undefined;
  private startsUntil = performance.now() + START_MS;
  private unseen = 0;
  private failures = 0;
  private nextAttemptAt = 0;
  private offering: Promise<void> | undefined;
  /** Taken out of the FIFO for the plugin's return, and not in it again yet. */
  private held: readonly LogBatch[] = [];
  private lastProblem = '';
  private taking: Promise<void> | undefined;
  /** The answer to StopLogging, which nobody waits for long: until it is there, the plugin may still store what it has. */
  stopped: Promise<unknown> = Promise.resolve();

  /** The plugin knows the FIFO already. */
  constructor(
    private readonly client: PluginClient,
    private readonly info: LogInfo,
    private readonly daemonName: string,
    private readonly fifo: LogFifo,
    private readonly patience: LogPatience,
    /** What the plugin has stored since a time, when it can tell. */
    private readonly stored: ReadStored | undefined,
    /** Of an earlier writer of this container, which the plugin did not let finish. */
    private readonly sent = new SentWindow(),
  ) {
    this.timer = setInterval(() => this.watch(), patience.watchMs).unref();
  }

  write(batch: LogBatch): void | Promise<void> {
    if (this.closing !== undefined) throw unavailable('the log writer is closed');
    if (this.stored !== undefined) this.sent.add(batch);
    if (this.offering === undefined && this.taking === undefined && this.held.length === 0)
      return this.fifo.write(encodeLogBatch(batch));
    // What is held goes first, or away together with this. Who looks at `isAway` writes no more.
    this.held = [...this.held, batch];
    return this.offering;
  }

  async flush(): Promise<void> {
    await this.untilTaken(1000, 1000);
  }

  /** What is in the FIFO would be gone with the engine, as long as nobody reads it. */
  async takeBack(): Promise<readonly LogBatch[]> {
    if (this.closing !== undefined || this.taking !== undefined) return [];
    // What a plugin is about to read must not be torn in two.
    if (this.offering === undefined && this.isUnread) await this.holdUnread();
    const back = this.held;
    this.held = [];
    this.sent.forgetLast(messageCount(back));
    return back;
  }

  get isAway(): boolean {
    return this.held.length > 0 || this.offering !== undefined || this.isUnread;
  }

  /** Nobody reads, though the plugin had time to begin. */
  private get isUnread(): boolean {
    if (!this.fifo.hasReader()) return performance.now() > this.startsUntil;
    this.startsUntil = 0;
    return false;
  }

  /**
   * Lets the plugin take what is left, says StopLogging and removes the FIFO (P-LOG-3).
   *
   * @throws UndeliveredError  the plugin is away or hangs, and this is what it did not take
   */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    const { closeMs, awayMs } = this.patience;
    try {
      // What there is to offer is offered now.
      this.nextAttemptAt = 0;
      // One that died may have lost what it had in hand: when it reads again, that was sent again.
      const taken = await this.untilTaken(closeMs, awayMs, this.stored !== undefined);
      clearInterval(this.timer);
      const stopped = this.client.call({
        ...logDriverMethods.stopLogging,
        body: { File: this.fifo.shownPath },
        timeoutMs: closeMs,
        retry: noRetry,
      });
      this.stopped = stopped.catch(() => undefined);
      const answered = taken && (await inTime(stopped, STOP_MS));
      if (!this.fifo.empty || this.held.length > 0) throw unavailable('it does not read');
      // It may die before it has stored what it has read. One that can be asked is asked later.
      if (!answered && this.stored !== undefined) throw unavailable('it has not said that it is done');
    } catch (error) {
      await inTime(this.offering ?? Promise.resolve(), STOP_MS);
      await this.holdUnread();
      const left = this.held;
      this.sent.forgetLast(messageCount(left));
      throw new UndeliveredError(
        `log plugin "${this.client.name}" did not finish the log of container ${this.info.containerId}: ${this.lastProblem || errorMessage(error)}`,
        left,
        error,
      );
    } finally {
      clearInterval(this.timer);
      this.fifo.close();
    }
  }

  /**
   * @param andReads by somebody who still reads
   * @returns whether it was all taken before the time was over, or nothing had moved for `awayMs`
   */
  private async untilTaken(timeoutMs: number, awayMs: number, andReads = false): Promise<boolean> {
    const startedAt = performance.now();
    let movedAt = startedAt;
    const isTaken = () => this.fifo.empty && this.held.length === 0 && (!andReads || this.fifo.hasReader());
    for (let unread = this.fifo.unread; !isTaken(); ) {
      const now = performance.now();
      if (this.fifo.unread !== unread) movedAt = now;
      unread = this.fifo.unread;
      if (now - startedAt >= timeoutMs || now - movedAt >= awayMs) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return true;
  }

  private waitLonger(): void {
    this.unseen = 0;
    this.nextAttemptAt = Date.now() + Math.min(this.patience.watchMs * 2 ** this.failures++, MAX_BACKOFF_MS);
  }

  private watch(): void {
    if (this.offering !== undefined || this.taking !== undefined || Date.now() < this.nextAttemptAt) return;
    if (this.fifo.hasReader()) {
      this.unseen = 0;
      this.failures = 0;
      // It began to read, though it did not say so in time.
      this.sendHeld();
      return;
    }
    // Plugins may answer StartLogging before they open the FIFO.
    if (++this.unseen < 2) return;
    this.offering = this.offer()
      .then(
        () => {
          this.lastProblem = '';
        },
        (error) => {
          this.lastProblem = errorMessage(error);
        },
      )
      .finally(() => {
        this.offering = undefined;
        this.waitLonger();
      });
  }

  /** Brings the FIFO back to the plugin, with what it took and did not store in front. */
  private async offer(): Promise<void> {
    await this.holdUnread();
    // Some may be taken back while the plugin is asked.
    const lost = await lostMessages(this.sent, this.stored, () => messageCount(this.held));
    this.held = [...lost, ...this.held];
    const { client, info, daemonName, fifo } = this;
    await startLogging(client, info, daemonName, fifo.shownPath, true);
    this.startsUntil = performance.now() + START_MS;
    this.sendHeld();
  }

  private sendHeld(): void {
    if (this.closing !== undefined) return;
    for (const batch of this.held) void this.fifo.write(encodeLogBatch(batch));
    this.held = [];
  }

  /** Takes out of the FIFO what nobody has read: it is newer than what is held, and older than what comes meanwhile. */
  private holdUnread(): Promise<void> {
    const before = this.held.length;
    this.taking ??= this.fifo
      .takeBack()
      .then((frames) => {
        const unread = toLogBatches(new LogEntryDecoder().push(frames));
        this.held = [...this.held.slice(0, before), ...unread, ...this.held.slice(before)];
      })
      .finally(() => {
        this.taking = undefined;
      });
    return this.taking;
  }
}

const messageCount = (batches: readonly LogBatch[]): number => batches.flatMap(messagesOf).length;

/** Tells the plugin which FIFO to read. @param again one attempt: it is repeated anyway */
export async function startLogging(
  client: PluginClient,
  info: LogInfo,
  daemonName: string,
  path: string,
  again = false,
): Promise<void> {
  await client.call({
    ...logDriverMethods.startLogging,
    body: { File: path, Info: encodeLogInfo(info, daemonName) },
    ...(again ? { retry: noRetry, timeoutMs: 10_000 } : {}),
  });
}

/** Waits for `work`, but not long; it goes on then. @returns whether it was done */
async function inTime(work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, false);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

import type { LogBatch, LogInfo, LogWriter } from '../contracts/log-driver';
import { errorMessage, unavailable } from '../errors';
import { encodeLogBatch, encodeLogInfo, logDriverMethods } from '../wire';
import type { LogFifo } from './log-fifo';
import type { PluginClient } from './plugin-client';
import { noRetry } from './retry';

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
const MAX_BACKOFF_MS = 30_000;
const POLL_MS = 10;

/**
 * Writes to a log plugin. A plugin that went away is told about the FIFO again when it is back (P-LOG-5), and finds in
 * it what it had not read. Until then the FIFO fills, and then the container waits (P-LOG-4).
 */
export class RemoteLogWriter implements LogWriter {
  private readonly timer: NodeJS.Timeout;
  private closing: Promise<void> | undefined;
  private unseen = 0;
  private failures = 0;
  private nextAttemptAt = 0;
  private offering = false;
  private lastProblem = '';

  /** The plugin knows the FIFO already. */
  constructor(
    private readonly client: PluginClient,
    private readonly info: LogInfo,
    private readonly daemonName: string,
    private readonly fifo: LogFifo,
    private readonly patience: LogPatience,
  ) {
    this.timer = setInterval(() => void this.watch(), patience.watchMs).unref();
  }

  write(batch: LogBatch): void | Promise<void> {
    return this.fifo.write(encodeLogBatch(batch));
  }

  async flush(): Promise<void> {
    await this.untilTaken(1000, 1000);
  }

  /**
   * Lets the plugin take what is left, says StopLogging and removes the FIFO (P-LOG-3).
   *
   * @throws unavailable  the plugin did not take everything in time; what it left is lost
   */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    try {
      // What there is to offer is offered now.
      this.nextAttemptAt = 0;
      const taken = await this.untilTaken(this.patience.closeMs, this.patience.awayMs);
      clearInterval(this.timer);
      await this.client.call({
        ...logDriverMethods.stopLogging,
        body: { File: this.fifo.shownPath },
        timeoutMs: this.patience.closeMs,
        retry: noRetry,
      });
      if (!taken && !this.fifo.empty) throw unavailable('it does not read');
    } catch (error) {
      throw unavailable(
        `log plugin "${this.client.name}" did not finish the log of container ${this.info.containerId}: ${this.lastProblem || errorMessage(error)}`,
        error,
      );
    } finally {
      clearInterval(this.timer);
      this.fifo.close();
    }
  }

  /** @returns whether it was all taken before the time was over, or nobody had read for `awayMs` */
  private async untilTaken(timeoutMs: number, awayMs: number): Promise<boolean> {
    const startedAt = performance.now();
    let seenAt = startedAt;
    while (!this.fifo.empty) {
      const now = performance.now();
      if (this.fifo.hasReader()) seenAt = now;
      if (now - startedAt >= timeoutMs || now - seenAt >= awayMs) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return true;
  }

  private waitLonger(): void {
    this.unseen = 0;
    this.nextAttemptAt = Date.now() + Math.min(this.patience.watchMs * 2 ** this.failures++, MAX_BACKOFF_MS);
  }

  private async watch(): Promise<void> {
    if (this.offering || Date.now() < this.nextAttemptAt) return;
    this.offering = true;
    try {
      if (this.fifo.hasReader()) {
        this.unseen = 0;
        this.failures = 0;
        return;
      }
      // Plugins may answer StartLogging before they open the FIFO.
      if (++this.unseen < 2) return;
      this.fifo.removeHalfFrame();
      await startLogging(this.client, this.info, this.daemonName, this.fifo.shownPath, true);
      this.lastProblem = '';
      this.waitLonger();
    } catch (error) {
      this.lastProblem = errorMessage(error);
      this.waitLonger();
    } finally {
      this.offering = false;
    }
  }
}

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

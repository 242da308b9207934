import type { Readable } from 'node:stream';
import { capability } from '../plugin/capability';
import type { LogEntry, LogInfo, LogReadOptions, LogSource } from './log-driver';

/** Reads a container's streams to their end, hands them to the log driver and to whoever is attached. */
export interface LogPump {
  /**
   * Raw bytes as they come, from now on. A returned promise holds the stream back.
   * `ended` is called once per subscriber when all streams have ended.
   */
  subscribe(listener: { data(source: LogSource, chunk: Buffer): void | Promise<void>; ended(): void }): () => void;
  /** Resolves when all streams ended and the driver has everything. Never rejects; failures are logged. */
  readonly done: Promise<void>;
  /**
   * Gives up on streams that stay open (processes left behind hold them) and on listeners, then closes the driver. Waits
   * seconds at most: a driver that takes longer goes on in the background.
   */
  close(): Promise<void>;
}

/** Logging of containers, as other plugins see it. */
export interface LogManager {
  /** The effective driver and options for a container's LogConfig (empty type = the daemon's default). */
  resolveConfig(config: { readonly type: string; readonly options: Readonly<Record<string, string>> }): {
    readonly type: string;
    readonly options: Readonly<Record<string, string>>;
  };
  /** @throws invalid-parameter naming the option, or the driver when there is none of that name */
  validate(type: string, options: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Opens the driver and starts reading.
   *
   * @param how `isResumed`: the container runs already, so that a back end which is away is waited for
   */
  startPump(
    type: string,
    info: LogInfo,
    streams: { readonly stdout: Readable; readonly stderr?: Readable },
    how?: { readonly isResumed?: boolean },
  ): Promise<LogPump>;
  /** Whether `read` works for this container: from its driver or from the copy kept beside; for those who must know before they answer. */
  canRead(type: string, info: LogInfo): Promise<boolean>;
  /**
   * @throws not-implemented  `configured logging driver does not support reading`
   */
  read(type: string, info: LogInfo, options: LogReadOptions, signal: AbortSignal): AsyncIterable<readonly LogEntry[]>;
  /** Messages of this container that `mode=non-blocking` dropped, since the daemon started. */
  droppedMessages(containerId: string): number;
  remove(type: string, info: LogInfo): Promise<void>;
}

/** The log manager; there is one. */
export const Logs1 = capability<LogManager>('logs/v1');

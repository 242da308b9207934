import { capability } from '../plugin/capability';

/** The stream a line was printed on. */
export type LogSource = 'stdout' | 'stderr';

/** Which container logs, and how. `options` are the driver's own (`max-size`, …). */
export interface LogInfo {
  readonly containerId: string;
  /** Without leading slash. */
  readonly containerName: string;
  readonly imageId: string;
  readonly imageName: string;
  readonly entrypoint: string;
  readonly args: readonly string[];
  readonly createdAt: Date;
  readonly env: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Where a driver that writes a file puts it: `<dir>/<container id>-json.log`. */
  readonly logPath: string;
  readonly options: Readonly<Record<string, string>>;
  /** The engine's own options (`mode`, `max-buffer-size`, `cache-…`): shown to plugins on sockets, not the driver's. */
  readonly deliveryOptions?: Readonly<Record<string, string>>;
}

/** Whole lines, each with its newline, that arrived together; or one piece of a line longer than 16 KiB. */
export interface LogBatch {
  readonly source: LogSource;
  /** Nanoseconds since the epoch. */
  readonly timeNs: bigint;
  readonly data: Buffer;
  /** Set when `data` is a piece of a long line (without newline, unless it is the last piece). */
  readonly partial?: { readonly id: string; readonly ordinal: number; readonly last: boolean };
}

/** Takes the output of one run of a container. Who opened it closes it. */
export interface LogWriter {
  /**
   * Takes the batch; a returned promise holds the container's output back until it resolves.
   *
   * @throws unavailable  (or rejects with it) the back end is away and did not take it: it is kept and written again.
   *   With an `UndeliveredError` only what that holds is.
   */
  write(batch: LogBatch): void | Promise<void>;
  /** The back end is away: what is written now would wait, nobody knows how long. Absent: never. Asked often. */
  readonly isAway?: boolean;
  /**
   * It is away, and what it holds in memory is wanted on disk: writes that are under way settle soon. Absent: it holds
   * nothing then.
   *
   * @returns what `write` had taken and nobody else has, oldest first
   */
  takeBack?(): Promise<readonly LogBatch[]>;
  /** Several writes may be under way: when one rejects, all behind it do. Absent: each waits for the one before. */
  readonly isPipelined?: boolean;
  /** The container never waits for it: bytes kept in memory where there is no spool; beyond that, output is dropped. */
  readonly asideBytes?: number;
  /** Everything taken so far is where readers find it. */
  flush(): Promise<void>;
  /** @throws UndeliveredError  with what the back end did not take */
  close(): Promise<void>;
}

/** A line, or a piece of one, as it is read back. */
export interface LogEntry {
  readonly source: LogSource;
  readonly timeNs: bigint;
  /** With its newline, unless it is a piece that the next entry continues. */
  readonly line: Buffer;
  /** `details=1`: labels and env the driver was asked to keep. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Which entries to read. Both times are inclusive. */
export interface LogReadOptions {
  readonly sinceNs?: bigint;
  readonly untilNs?: bigint;
  /** Lines from the end; undefined = all. */
  readonly tail?: number;
  /** Stay and yield what comes, until `signal` aborts or the writer closes. */
  readonly follow: boolean;
}

/** Keeps what containers print. @see Docker log plugin protocol, section 8 */
export interface LogDriver {
  /** Refuses options it does not know. @throws invalid-parameter naming the option. */
  validate(options: Readonly<Record<string, string>>): void;
  open(info: LogInfo): Promise<LogWriter>;
  /**
   * What this driver can do, for drivers that only know when asked: those on sockets. Absent: `readLogs` says whether
   * there is a `read`.
   *
   * @throws unavailable, deadline  it cannot be asked now
   */
  capabilities?(): Promise<{ readonly readLogs: boolean }>;
  /** Absent: the driver cannot read back. Yields batches of entries, oldest first. */
  read?(info: LogInfo, options: LogReadOptions, signal: AbortSignal): AsyncIterable<readonly LogEntry[]>;
  /** Removes what the driver keeps for the container. Repeatable. */
  remove?(info: LogInfo): Promise<void>;
}

/** Log drivers, by the names users type after `--log-driver`. */
export const LogDriver1 = capability<LogDriver>('log-driver/v1', 'many');

import type { LogDriver, LogEntry, LogInfo } from '../contracts/log-driver';
import {
  decodeLogCapabilities,
  encodeLogBatch,
  encodeLogInfo,
  encodeReadConfig,
  LogEntryDecoder,
  logDriverMethods,
  type WireLogEntry,
} from '../wire';
import { LogFifo } from './log-fifo';
import { type LogPatience, RemoteLogWriter, startLogging } from './log-writer';
import type { PluginClient } from './plugin-client';
import { PluginRefusal } from './read-answer';
import { lostMessages, SentWindow } from './sent-window';

/** What a log driver behind a socket needs of the engine. */
export interface RemoteLogDriverOptions {
  /** Folder for the FIFOs. */
  readonly fifoFolder: string;
  /** The same folder as the plugin sees it; the same path when absent. */
  readonly pluginFolder?: string;
  /** How the engine calls itself to plugins; `docker` when absent. */
  readonly daemonName?: string;
  readonly patience?: Partial<LogPatience>;
  /** It is a driver of ours in a process of its own, and writes its file where it is told. Others see no path. */
  readonly showsLogPath?: boolean;
}

/** A plugin may write the rest of a log when its container has ended; then a follower is let go. */
const LAST_WORDS_MS = 2000;

/** How long a plugin may take to tell what it has of the last moments. */
const READ_STORED_MS = 10_000;

/**
 * A log driver behind a socket. Its options are judged by the plugin when a container starts: the protocol has no word
 * for it earlier. What it keeps is its own, so nothing is removed with a container.
 */
export function connectLogDriver(client: PluginClient, options: RemoteLogDriverOptions): LogDriver {
  const daemonName = options.daemonName ?? 'docker';
  const patience: LogPatience = { watchMs: 200, closeMs: 10_000, awayMs: 500, ...options.patience };
  const open = new Map<string, RunningLog>();
  const shown = (info: LogInfo): LogInfo => (options.showsLogPath ? info : { ...info, logPath: '' });
  const makeFifo = () => LogFifo.make(options.fifoFolder, options.pluginFolder);
  /** What went to the plugin for containers whose log it did not finish. */
  const unfinished = new Map<string, { readonly sent: SentWindow; readonly stopped: Promise<unknown> }>();
  let readLogs: boolean | undefined;

  const askCapabilities = async (): Promise<boolean> => {
    try {
      readLogs = decodeLogCapabilities(
        await client.call({ ...logDriverMethods.capabilities, ...(readLogs === undefined ? {} : { timeoutMs: 5000 }) }),
      ).readLogs;
    } catch (error) {
      // The method is optional and may fail in any way (P-CALL-9). A plugin that is away is another matter.
      if (!(error instanceof PluginRefusal)) throw error;
      readLogs = false;
    }
    return readLogs;
  };

  const storedSince = async function* (info: LogInfo, sinceNs: bigint): AsyncGenerator<readonly LogEntry[]> {
    const signal = AbortSignal.timeout(READ_STORED_MS);
    const body = {
      Info: encodeLogInfo(info, daemonName),
      Config: encodeReadConfig({ follow: false, sinceNs }),
    };
    const decoder = new LogEntryDecoder();
    for await (const chunk of await client.stream({ ...logDriverMethods.readLogs, body, signal }))
      yield decoder.push(chunk).map(toLogEntry);
  };

  return {
    validate: () => undefined,
    async capabilities() {
      return { readLogs: readLogs ?? (await askCapabilities()) };
    },
    async open(given) {
      const info = shown(given);
      const stored = (await askCapabilities()) ? (sinceNs: bigint) => storedSince(info, sinceNs) : undefined;
      const earlier = unfinished.get(info.containerId);
      // Asked while it still stores what it took, it would be sent that again.
      await earlier?.stopped;
      const sent = earlier?.sent ?? new SentWindow();
      const fifo = await makeFifo();
      try {
        const lost = await lostMessages(sent, stored, () => 0);
        await startLogging(client, info, daemonName, fifo.shownPath);
        for (const batch of lost) void fifo.write(encodeLogBatch(batch));
      } catch (error) {
        fifo.close();
        if (!(error instanceof PluginRefusal)) throw error;
        throw new PluginRefusal(error.kind, `error creating logger: ${error.message}`, error.status);
      }
      unfinished.delete(info.containerId);
      const writer = new RemoteLogWriter(client, info, daemonName, fifo, patience, stored, sent);
      const running = new RunningLog();
      open.set(info.containerId, running);
      return {
        write: (batch) => writer.write(batch),
        get isAway() {
          return writer.isAway;
        },
        takeBack: () => writer.takeBack(),
        flush: () => writer.flush(),
        async close() {
          try {
            await writer.close();
          } catch (error) {
            unfinished.set(info.containerId, { sent, stopped: writer.stopped });
            throw error;
          } finally {
            if (open.get(info.containerId) === running) open.delete(info.containerId);
            running.end();
          }
        },
      };
    },
    async *read(given, how, signal) {
      const info = shown(given);
      const running = open.get(info.containerId);
      const ended = new AbortController();
      const stop = running?.whenEnded(() => void setTimeout(() => ended.abort(), LAST_WORDS_MS).unref());
      const either = AbortSignal.any([signal, ended.signal]);
      try {
        const body = {
          Info: encodeLogInfo(info, daemonName),
          // Nothing follows when nobody writes.
          Config: encodeReadConfig({ ...how, follow: how.follow && running !== undefined }),
        };
        const decoder = new LogEntryDecoder();
        for await (const chunk of await client.stream({ ...logDriverMethods.readLogs, body, signal: either })) {
          const entries = decoder.push(chunk);
          const until = entries.findIndex(({ timeNs }) => how.untilNs !== undefined && timeNs > how.untilNs);
          const wanted = (until < 0 ? entries : entries.slice(0, until))
            .filter(({ timeNs }) => how.sinceNs === undefined || timeNs >= how.sinceNs)
            .map(toLogEntry);
          if (wanted.length > 0) yield wanted;
          if (until >= 0) return;
        }
      } catch (error) {
        if (!either.aborted) throw error;
      } finally {
        stop?.();
      }
    },
  };
}

const toLogEntry = ({ source, timeNs, line }: WireLogEntry): LogEntry => ({ source, timeNs, line });

/** A log that is being written, for those who follow it. */
class RunningLog {
  private readonly listeners = new Set<() => void>();

  whenEnded(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  end(): void {
    for (const listener of this.listeners) listener();
  }
}

import type { Writable } from 'node:stream';
import { type LogEntry, type LogReadOptions, notImplemented, writeFully } from '@gantry/sdk';
import type { Engine } from '../engine';
import type { Container } from '../run/container';
import { logInfo } from '../run/log-info';

export interface LogsOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly details: boolean;
  readonly sinceNs?: bigint;
  readonly untilNs?: bigint;
  /** Lines from the end; undefined = all. */
  readonly tail?: number;
  /** In frames that tell stdout from stderr; a terminal has but one stream. */
  readonly framed: boolean;
}

const HEADER_BYTES = 8;

/** @throws not-implemented  the container's driver keeps nothing that could be read */
export async function assertReadable(container: Container, engine: Pick<Engine, 'logs'>): Promise<void> {
  if (!(await engine.logs.canRead(container.record.log.type, logInfo(container))))
    throw notImplemented('configured logging driver does not support reading');
}

/** Writes a container's log to a client, in pieces as large as they come. */
export async function writeLogs(
  container: Container,
  out: Writable,
  options: LogsOptions,
  signal: AbortSignal,
  engine: Pick<Engine, 'logs'>,
): Promise<void> {
  const read: LogReadOptions = {
    follow: options.follow,
    ...(options.sinceNs === undefined ? {} : { sinceNs: options.sinceNs }),
    ...(options.untilNs === undefined ? {} : { untilNs: options.untilNs }),
    ...(options.tail === undefined ? {} : { tail: options.tail }),
  };
  const batches = engine.logs.read(container.record.log.type, logInfo(container), read, signal);
  for await (const entries of batches) {
    if (signal.aborted || out.destroyed) return;
    const block = renderEntries(entries, options);
    if (block.length > 0) await writeFully(out, block, signal);
  }
}

/** Entries as one buffer: framed or plain, with what was asked in front of each line. */
export function renderEntries(entries: readonly LogEntry[], options: LogsOptions): Buffer {
  const chosen = entries.filter(({ source }) => (source === 'stdout' ? options.stdout : options.stderr));
  const prefixes = chosen.map((entry) => prefixOf(entry, options));
  const headerBytes = options.framed ? HEADER_BYTES : 0;
  let size = 0;
  for (let i = 0; i < chosen.length; i++) size += headerBytes + prefixes[i]!.length + chosen[i]!.line.length;
  const block = Buffer.allocUnsafe(size);
  let at = 0;
  for (let i = 0; i < chosen.length; i++) {
    const { source, line } = chosen[i]!;
    const prefix = prefixes[i]!;
    if (options.framed) {
      block.writeUInt32BE(source === 'stdout' ? 0x01000000 : 0x02000000, at);
      block.writeUInt32BE(prefix.length + line.length, at + 4);
      at += HEADER_BYTES;
    }
    if (prefix.length > 0) at += prefix.copy(block, at);
    at += line.copy(block, at);
  }
  return block;
}

const NOTHING = Buffer.alloc(0);

function prefixOf(entry: LogEntry, options: LogsOptions): Buffer {
  if (!options.timestamps && !options.details) return NOTHING;
  const time = options.timestamps ? `${formatTime(entry.timeNs)} ` : '';
  const details = options.details
    ? `${Object.entries(entry.attributes ?? {})
        .map(([key, value]) => `${queryEscape(key)}=${queryEscape(value)}`)
        .join(',')} `
    : '';
  return Buffer.from(time + details);
}

/** As forms are encoded: clients take a plus for a blank. */
function queryEscape(text: string): string {
  const escaped = encodeURIComponent(text).replaceAll('%20', '+');
  return escaped.replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

let cachedSecond = -1n;
let cachedText = '';

/** RFC 3339 with always nine digits, so that lines stay aligned. */
export function formatTime(timeNs: bigint): string {
  const second = timeNs / 1_000_000_000n;
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedText = new Date(Number(second) * 1000).toISOString().slice(0, 19);
  }
  return `${cachedText}.${String(timeNs % 1_000_000_000n).padStart(9, '0')}Z`;
}

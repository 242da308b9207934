import type { LogBatch, LogSource } from '../contracts/log-driver';
import { invalidParameter } from '../errors';

/** A line, or a piece of one, as it travels between engine and log plugin (P-LOG-6). `line` has no newline. */
export interface WireLogEntry {
  readonly source: LogSource;
  readonly timeNs: bigint;
  readonly line: Buffer;
  /** Set on every piece of a split line; ordinals count from 1 (P-LOG-7). */
  readonly partial?: { readonly id: string; readonly ordinal: number; readonly last: boolean };
}

/** Longest frame that is believed: a line is split at 16 KiB, plugins may be more generous. */
const maxFrameBytes = 16 * 1024 * 1024;

/** A frame: length in four bytes, big-endian, then the entry as protobuf. */
export function encodeLogEntry(entry: WireLogEntry): Buffer {
  const parts = [bytesField(1, Buffer.from(entry.source)), varintField(2, entry.timeNs), bytesField(3, entry.line)];
  if (entry.partial !== undefined) {
    const { id, ordinal, last } = entry.partial;
    parts.push(varintField(4, 1n));
    const metadata = [
      ...(last ? [varintField(1, 1n)] : []),
      bytesField(2, Buffer.from(id)),
      varintField(3, BigInt(ordinal)),
    ];
    parts.push(bytesField(5, Buffer.concat(metadata)));
  }
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

const NEWLINE = 10;

/** The frames of a batch: one for each line, without its newline, or one for the piece of a long line. */
export function encodeLogBatch(batch: LogBatch): Buffer {
  const { source, timeNs, data, partial } = batch;
  if (partial !== undefined) {
    const end = data.at(-1) === NEWLINE ? data.length - 1 : data.length;
    return encodeLogEntry({ source, timeNs, line: data.subarray(0, end), partial });
  }
  // All lines of a batch share what comes before the line itself.
  const head = Buffer.concat([bytesField(1, Buffer.from(source)), varintField(2, timeNs), Buffer.of(lineTag)]);
  const frames: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    const newline = data.indexOf(NEWLINE, at);
    const end = newline < 0 ? data.length : newline;
    const length = encodeVarint(BigInt(end - at));
    const start = Buffer.allocUnsafe(4);
    start.writeUInt32BE(head.length + length.length + end - at);
    frames.push(start, head, length, data.subarray(at, end));
    at = end + 1;
  }
  return Buffer.concat(frames);
}

/** Tag of field 3, which is bytes. */
const lineTag = (3 << 3) | 2;

/**
 * Where the first whole frame begins in the rest of a stream whose reader went away, perhaps in the middle of one.
 * Frames of `encodeLogEntry` only. At the latest the end of the data.
 *
 * @param cutOff the rest of the last frame comes later
 */
export function findFrameStart(data: Buffer, cutOff: boolean): number {
  for (let start = 0; start < data.length; start++) if (framesFrom(data, start, cutOff)) return start;
  return data.length;
}

/** What every frame has after its length: field 1 with six bytes. */
const frameMark = Buffer.from([0x0a, 6, ...Buffer.from('std')]);

function framesFrom(data: Buffer, start: number, cutOff: boolean): boolean {
  let at = start;
  while (at < data.length) {
    const mark = data.subarray(at + 4, at + 4 + frameMark.length);
    if (!mark.equals(frameMark.subarray(0, mark.length))) return false;
    if (data.length - at < 4) return cutOff;
    at += 4 + data.readUInt32BE(at);
  }
  return at === data.length || cutOff;
}

/** Takes bytes in whatever pieces they arrive and gives whole entries. */
export class LogEntryDecoder {
  private rest: Buffer = Buffer.alloc(0);

  /** @throws invalid-parameter  not such a stream, or a frame larger than is believed */
  push(chunk: Buffer): WireLogEntry[] {
    const entries: WireLogEntry[] = [];
    let data = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    while (data.length >= 4) {
      const length = data.readUInt32BE();
      if (length > maxFrameBytes) throw invalidParameter(`a log entry of ${length} bytes is not believable`);
      if (data.length < 4 + length) break;
      entries.push(decodeLogEntry(data.subarray(4, 4 + length)));
      data = data.subarray(4 + length);
    }
    this.rest = data;
    return entries;
  }

  /** Bytes of an entry that never became whole; 0 at a clean end. */
  get pendingBytes(): number {
    return this.rest.length;
  }
}

/** The entry of one frame, without its length. @throws invalid-parameter for what is no entry */
export function decodeLogEntry(body: Buffer): WireLogEntry {
  const fields = readFields(body);
  const metadata = fields.get(5);
  const inner = Buffer.isBuffer(metadata) ? readFields(metadata) : undefined;
  const partial = fields.get(4) === 1n || inner !== undefined;
  return {
    source: text(fields.get(1)) === 'stderr' ? 'stderr' : 'stdout',
    timeNs: BigInt.asIntN(64, number(fields.get(2))),
    line: bytes(fields.get(3)),
    ...(partial
      ? {
          partial: {
            id: text(inner?.get(2)),
            ordinal: Number(number(inner?.get(3))),
            last: inner?.get(1) === 1n,
          },
        }
      : {}),
  };
}

type Value = bigint | Buffer;

/** Protobuf fields by number; the last of a number wins, unknown ones are kept and ignored. */
function readFields(body: Buffer): Map<number, Value> {
  const fields = new Map<number, Value>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = body[at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw invalidParameter('a log entry ends in the middle of a number');
  };
  const take = (length: number): Buffer => {
    if (at + length > body.length) throw invalidParameter('a log entry ends in the middle of a field');
    at += length;
    return body.subarray(at - length, at);
  };
  while (at < body.length) {
    const tag = Number(varint());
    const kind = tag & 7;
    if (kind === 0) fields.set(tag >> 3, varint());
    else if (kind === 2) fields.set(tag >> 3, take(Number(varint())));
    else if (kind === 1) take(8);
    else if (kind === 5) take(4);
    else throw invalidParameter(`a log entry has a field of the unknown wire type ${kind}`);
  }
  return fields;
}

const bytes = (value: Value | undefined): Buffer => (Buffer.isBuffer(value) ? value : Buffer.alloc(0));
const text = (value: Value | undefined): string => bytes(value).toString('utf8');
const number = (value: Value | undefined): bigint => (typeof value === 'bigint' ? value : 0n);

function varintField(field: number, value: bigint): Buffer {
  return Buffer.concat([encodeVarint(BigInt(field << 3)), encodeVarint(BigInt.asUintN(64, value))]);
}

function bytesField(field: number, value: Buffer): Buffer {
  return Buffer.concat([encodeVarint(BigInt((field << 3) | 2)), encodeVarint(BigInt(value.length)), value]);
}

function encodeVarint(value: bigint): Buffer {
  const out: number[] = [];
  for (let left = value; ; left >>= 7n) {
    if (left < 0x80n) return Buffer.from([...out, Number(left)]);
    out.push(Number(left & 0x7fn) | 0x80);
  }
}

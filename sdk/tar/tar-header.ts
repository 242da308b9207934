import { invalidParameter } from '../errors';
import type { SparseMap } from './sparse-map';

/** Names and link targets are byte strings: one character per byte (latin1), whatever encoding the archive meant. */
export interface TarHeader {
  readonly type: TarEntryType;
  readonly name: string;
  readonly linkName: string;
  /** Payload bytes in the archive; 0 for entries without one. */
  readonly size: number;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedNs: bigint;
  readonly accessedNs: bigint | undefined;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** Where the payload belongs in a file with holes. */
  readonly sparse?: SparseMap;
}

/** What an entry makes; contiguous and sparse files count as `file`. */
export type TarEntryType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

/** One 512-byte header as it stands in the archive, before extension headers are applied. */
export interface RawHeader {
  readonly flag: string;
  readonly name: string;
  readonly linkName: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedNs: bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** Headers and payloads fill whole blocks of this many bytes. */
export const blockSize = 512;

/** @throws invalid-parameter  the block is not a tar header */
export function parseRawHeader(block: Buffer): RawHeader {
  assertChecksum(block);
  const magic = block.toString('latin1', 257, 263);
  const isUstar = magic === 'ustar\0';
  let name = text(block, 0, 100);
  if (isUstar) {
    const prefix = text(block, 345, 155);
    if (prefix !== '') name = `${prefix}/${name}`;
  }
  const hasDevices = isUstar || magic === 'ustar ';
  return {
    flag: String.fromCharCode(block[156]!),
    name,
    linkName: text(block, 157, 100),
    size: toSafe(number(block, 124, 12), 'size'),
    mode: toSafe(number(block, 100, 8), 'mode') & 0o7777,
    uid: toSafe(number(block, 108, 8), 'uid'),
    gid: toSafe(number(block, 116, 8), 'gid'),
    modifiedNs: number(block, 136, 12) * 1_000_000_000n,
    deviceMajor: hasDevices ? toSafe(number(block, 329, 8), 'device major') : 0,
    deviceMinor: hasDevices ? toSafe(number(block, 337, 8), 'device minor') : 0,
  };
}

/** Two of these end an archive. */
export function isZeroBlock(block: Buffer): boolean {
  for (let i = 0; i < blockSize; i++) if (block[i] !== 0) return false;
  return true;
}

/** `key=value` records of a PAX extension header; values stay bytes. */
export function parsePax(payload: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  let at = 0;
  while (at < payload.length) {
    const space = payload.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(payload.toString('latin1', at, space));
    const end = at + length;
    if (!Number.isInteger(length) || length < space - at + 3 || end > payload.length || payload[end - 1] !== 0x0a)
      throw invalidParameter('archive/tar: invalid tar header: malformed PAX record');
    const equals = payload.indexOf(0x3d, space);
    if (equals < 0 || equals >= end) throw invalidParameter('archive/tar: invalid tar header: malformed PAX record');
    records.set(payload.toString('utf8', space + 1, equals), payload.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** Seconds with a fraction, as PAX writes them, in nanoseconds. */
export function parsePaxTime(value: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(value);
  if (match === null) throw invalidParameter(`archive/tar: invalid tar header: time "${value}"`);
  const fraction = BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  const ns = BigInt(match[2]!) * 1_000_000_000n + fraction;
  return match[1] === '-' ? -ns : ns;
}

/** An unsigned decimal number of a PAX record. */
export function parsePaxNumber(value: string, what: string): number {
  if (!/^\d+$/.test(value)) throw invalidParameter(`archive/tar: invalid tar header: ${what} "${value}"`);
  return toSafe(BigInt(value), what);
}

/** A number field of a header as a safe, unsigned integer. */
export function parseTarNumber(block: Buffer, offset: number, length: number, what: string): number {
  return toSafe(number(block, offset, length), what);
}

function assertChecksum(block: Buffer): void {
  const stored = number(block, 148, 8);
  let unsigned = 256;
  for (let i = 0; i < 148; i++) unsigned += block[i]!;
  for (let i = 156; i < blockSize; i++) unsigned += block[i]!;
  if (stored === BigInt(unsigned)) return;
  // Some old writers summed signed bytes.
  let signed = 256;
  for (let i = 0; i < 148; i++) signed += block.readInt8(i);
  for (let i = 156; i < blockSize; i++) signed += block.readInt8(i);
  if (stored !== BigInt(signed)) throw invalidParameter('archive/tar: invalid tar header');
}

function text(block: Buffer, offset: number, length: number): string {
  let end = offset;
  while (end < offset + length && block[end] !== 0) end++;
  return block.toString('latin1', offset, end);
}

/** Octal digits, or base-256 when the first bit is set. */
function number(block: Buffer, offset: number, length: number): bigint {
  const first = block[offset]!;
  if (first & 0x80) {
    let value = first & 0x40 ? -1n : 0n;
    value = (value << 6n) | BigInt(first & 0x3f);
    for (let i = 1; i < length; i++) value = (value << 8n) | BigInt(block[offset + i]!);
    return value;
  }
  const digits = block
    .toString('latin1', offset, offset + length)
    .replace(/\0[\s\S]*$/, '')
    .trim();
  if (digits === '') return 0n;
  if (!/^[0-7]+$/.test(digits)) throw invalidParameter('archive/tar: invalid tar header');
  return BigInt(Number.parseInt(digits, 8));
}

function toSafe(value: bigint, what: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER))
    throw invalidParameter(`archive/tar: invalid tar header: ${what} out of range`);
  return Number(value);
}

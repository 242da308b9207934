import { invalidParameter } from '../errors';
import { parseTarNumber } from './tar-header';

/** Where the stored bytes of a sparse file belong. @see GNU tar manual, "Storing Sparse Files" */
export interface SparseMap {
  /** Size of the file with its holes. */
  readonly realSize: number;
  /** In file order. */
  readonly segments: readonly SparseSegment[];
}

/** A stretch of stored bytes; both numbers in bytes, `offset` in the file with its holes. */
export interface SparseSegment {
  readonly offset: number;
  readonly size: number;
}

const entryBytes = 24;
const maximumSegments = 1 << 20;

/** What an entry tells of its holes: the whole map at once, or blocks of it are to come. */
export type SparseStart =
  | { readonly name: string; readonly map: SparseMap }
  | { readonly name: string; readonly pending: PendingMap };

/** Takes the 512-byte blocks between header and content until the map is complete. */
export interface PendingMap {
  /** @returns the map, and how many bytes of the payload it took, with its last block */
  add(block: Buffer): { readonly map: SparseMap; readonly payloadBytes: number } | undefined;
}

/**
 * Reads the beginning of a sparse entry, in the old GNU format or PAX formats 0.1 and 1.0.
 *
 * @param records the `GNU.sparse.` records of its PAX header, without that prefix
 * @returns undefined for an ordinary file
 */
export function beginSparse(
  flag: string,
  block: Buffer,
  records: ReadonlyMap<string, string>,
  entry: { readonly name: string; readonly size: number },
): SparseStart | undefined {
  const name = records.get('name') ?? entry.name;
  if (flag === 'S') return beginOld(name, block, entry.size);
  if (records.size === 0) return undefined;
  const realSize = decimal(records.get('realsize') ?? records.get('size') ?? '');
  if (records.get('major') === '1') return { name, pending: pendingBlocks(realSize, entry.size) };
  const list = records.get('map');
  if (list === undefined) throw invalidParameter(`sparse file "${name}": PAX sparse format 0.0 is not supported`);
  return { name, map: checked({ realSize, segments: pairs(list.split(',')) }, entry.size) };
}

function beginOld(name: string, block: Buffer, storedSize: number): SparseStart {
  const reader = new OldSparseReader(block);
  if (!reader.more) return { name, map: reader.map(storedSize) };
  const add = (next: Buffer) => {
    reader.block(next);
    return reader.more ? undefined : { map: reader.map(storedSize), payloadBytes: 0 };
  };
  return { name, pending: { add } };
}

function pendingBlocks(realSize: number, payloadSize: number): PendingMap {
  let bytes: Buffer = Buffer.alloc(0);
  const add = (next: Buffer) => {
    bytes = Buffer.concat([bytes, next]);
    if (bytes.length > payloadSize) throw malformed();
    const map = parseSparseBlocks(bytes, realSize, payloadSize);
    return map === undefined ? undefined : { map, payloadBytes: bytes.length };
  };
  return { add };
}

/** The old GNU format: four segments in the header, 21 in each block that follows. */
class OldSparseReader {
  private readonly segments: SparseSegment[] = [];
  private readonly realSize: number;
  /** Another block of segments follows. */
  more: boolean;

  constructor(header: Buffer) {
    this.take(header, 386, 4);
    this.more = header[482] !== 0;
    this.realSize = parseTarNumber(header, 483, 12, 'sparse size');
  }

  block(block: Buffer): void {
    this.take(block, 0, 21);
    this.more = block[504] !== 0;
  }

  map(storedSize: number): SparseMap {
    return checked({ realSize: this.realSize, segments: this.segments }, storedSize);
  }

  private take(block: Buffer, start: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const at = start + i * entryBytes;
      if (block[at] === 0) return;
      this.segments.push({
        offset: parseTarNumber(block, at, 12, 'sparse offset'),
        size: parseTarNumber(block, at + 12, 12, 'sparse size'),
      });
    }
    if (this.segments.length > maximumSegments) throw malformed();
  }
}

/**
 * The map at the start of the payload in PAX format 1.0: decimal lines, the first their number.
 *
 * @param bytes whole blocks of the payload so far
 * @returns undefined while blocks are missing
 */
function parseSparseBlocks(bytes: Buffer, realSize: number, payloadSize: number): SparseMap | undefined {
  const lines = bytes.toString('latin1').split('\n');
  // What follows the last newline is unfinished.
  lines.pop();
  if (lines.length === 0) return undefined;
  const count = decimal(lines[0]!);
  if (count > maximumSegments) throw malformed();
  if (lines.length < 1 + count * 2) return undefined;
  const segments = pairs(lines.slice(1, 1 + count * 2));
  return checked({ realSize, segments }, payloadSize - bytes.length);
}

function pairs(values: readonly string[]): SparseSegment[] {
  if (values.length % 2 !== 0) throw malformed();
  const segments: SparseSegment[] = [];
  for (let i = 0; i < values.length; i += 2)
    segments.push({ offset: decimal(values[i]!), size: decimal(values[i + 1]!) });
  return segments;
}

function decimal(text: string): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) throw malformed();
  return value;
}

function checked(map: SparseMap, storedSize: number): SparseMap {
  let end = 0;
  let stored = 0;
  for (const { offset, size } of map.segments) {
    if (offset < end) throw malformed();
    end = offset + size;
    stored += size;
  }
  if (end > map.realSize || stored !== storedSize) throw malformed();
  return map;
}

const malformed = () => invalidParameter('archive/tar: invalid tar header: malformed sparse map');

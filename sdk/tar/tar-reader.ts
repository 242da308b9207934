import { invalidParameter } from '../errors';
import { beginSparse, type PendingMap } from './sparse-map';
import {
  blockSize,
  isZeroBlock,
  parsePax,
  parsePaxNumber,
  parsePaxTime,
  parseRawHeader,
  type RawHeader,
  type TarEntryType,
  type TarHeader,
} from './tar-header';

/** Receives an archive's parts in order. What it throws ends the reading. */
export interface TarHandler {
  /** An entry begins. True = its payload is wanted by `data`; false = it goes to `raw`. */
  entry(header: TarHeader): boolean;
  data(chunk: Buffer): void;
  entryEnd(): void;
  /** Every byte that is not a wanted payload: headers, padding, trailer. In order with the rest. */
  raw(chunk: Buffer): void;
}

type Mode = 'header' | 'extension' | 'sparse' | 'payload' | 'padding' | 'trailer';

const extensionFlags = new Set(['x', 'g', 'L', 'K']);
const maximumExtensionBytes = 1 << 20;
const xattrPrefix = 'SCHILY.xattr.';
const sparsePrefix = 'GNU.sparse.';

/**
 * Reads a tar stream given in pieces of any size: ustar, PAX (local and global), GNU long names, base-256 numbers,
 * sparse files.
 */
export class TarReader {
  private mode: Mode = 'header';
  private readonly partial = Buffer.allocUnsafe(blockSize);
  private partialLength = 0;
  private remaining = 0;
  private padding = 0;
  private wanted = false;
  private extensionFlag = '';
  private extensionParts: Buffer[] = [];
  private readonly globalPax = new Map<string, Buffer>();
  private pax = new Map<string, Buffer>();
  private longName: string | undefined;
  private longLink: string | undefined;
  private sparseRecords = new Map<string, string>();
  private sparse: { readonly header: TarHeader; readonly pending: PendingMap } | undefined;

  constructor(private readonly handler: TarHandler) {}

  /** @throws invalid-parameter  the bytes are not a well-formed archive */
  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.mode) {
        case 'header':
        case 'sparse':
          at = this.readHeader(chunk, at);
          break;
        case 'extension':
          at = this.readExtension(chunk, at);
          break;
        case 'payload':
          at = this.readPayload(chunk, at);
          break;
        case 'padding': {
          const end = Math.min(chunk.length, at + this.padding);
          this.handler.raw(chunk.subarray(at, end));
          this.padding -= end - at;
          at = end;
          if (this.padding === 0) this.mode = 'header';
          break;
        }
        case 'trailer':
          this.handler.raw(chunk.subarray(at));
          at = chunk.length;
      }
    }
  }

  /** @throws invalid-parameter  the archive ends in the middle of an entry */
  end(): void {
    // Writers that are never closed leave out the trailer, and the docker client even the padding of its last file.
    const whole =
      this.mode === 'trailer' || this.mode === 'padding' || (this.mode === 'header' && this.partialLength === 0);
    if (!whole || this.extensionPending()) throw invalidParameter('unexpected EOF');
  }

  private readHeader(chunk: Buffer, at: number): number {
    let block: Buffer;
    let next: number;
    if (this.partialLength === 0 && chunk.length - at >= blockSize) {
      next = at + blockSize;
      block = chunk.subarray(at, next);
    } else {
      next = Math.min(chunk.length, at + blockSize - this.partialLength);
      chunk.copy(this.partial, this.partialLength, at, next);
      this.partialLength += next - at;
      if (this.partialLength < blockSize) return next;
      this.partialLength = 0;
      block = Buffer.from(this.partial);
    }
    this.handler.raw(block);
    if (this.mode === 'sparse') this.readSparseBlock(block);
    else if (isZeroBlock(block)) {
      if (this.extensionPending()) throw invalidParameter('unexpected EOF');
      this.mode = 'trailer';
    } else this.beginEntry(parseRawHeader(block), block);
    return next;
  }

  private beginEntry(raw: RawHeader, block: Buffer): void {
    if (extensionFlags.has(raw.flag)) {
      if (raw.size > maximumExtensionBytes)
        throw invalidParameter('archive/tar: invalid tar header: extension header is too large');
      this.extensionFlag = raw.flag;
      this.extensionParts = [];
      this.setPayload(raw.size);
      this.mode = 'extension';
      if (raw.size === 0) this.endExtension();
      return;
    }
    const header = this.complete(raw);
    const sparse = beginSparse(raw.flag, block, this.sparseRecords, header);
    if (sparse === undefined) this.begin(header);
    else if ('map' in sparse) this.begin({ ...header, name: sparse.name, sparse: sparse.map });
    else {
      this.sparse = { header: { ...header, name: sparse.name }, pending: sparse.pending };
      this.mode = 'sparse';
    }
  }

  /** One more block of a sparse map, which stands between header and content. */
  private readSparseBlock(block: Buffer): void {
    const { header, pending } = this.sparse!;
    const complete = pending.add(block);
    if (complete === undefined) return;
    this.sparse = undefined;
    this.begin({ ...header, size: header.size - complete.payloadBytes, sparse: complete.map });
  }

  private begin(header: TarHeader): void {
    this.setPayload(header.size);
    this.wanted = this.handler.entry(header) && header.size > 0;
    this.mode = 'payload';
    if (header.size === 0) this.endPayload();
  }

  private readExtension(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.remaining);
    const part = chunk.subarray(at, end);
    this.handler.raw(part);
    this.extensionParts.push(Buffer.from(part));
    this.remaining -= end - at;
    if (this.remaining === 0) this.endExtension();
    return end;
  }

  private endExtension(): void {
    const payload = Buffer.concat(this.extensionParts);
    this.extensionParts = [];
    const nul = payload.indexOf(0);
    const name = payload.toString('latin1', 0, nul < 0 ? payload.length : nul);
    if (this.extensionFlag === 'L') this.longName = name;
    else if (this.extensionFlag === 'K') this.longLink = name;
    else {
      const target = this.extensionFlag === 'g' ? this.globalPax : this.pax;
      for (const [key, value] of parsePax(payload)) target.set(key, value);
    }
    this.mode = this.padding > 0 ? 'padding' : 'header';
  }

  private readPayload(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.remaining);
    const part = chunk.subarray(at, end);
    if (this.wanted) this.handler.data(part);
    else this.handler.raw(part);
    this.remaining -= end - at;
    if (this.remaining === 0) this.endPayload();
    return end;
  }

  private endPayload(): void {
    this.handler.entryEnd();
    this.mode = this.padding > 0 ? 'padding' : 'header';
  }

  private setPayload(size: number): void {
    this.remaining = size;
    this.padding = (blockSize - (size % blockSize)) % blockSize;
  }

  private extensionPending(): boolean {
    return this.pax.size > 0 || this.longName !== undefined || this.longLink !== undefined;
  }

  private complete(raw: RawHeader): TarHeader {
    const pax =
      this.pax.size === 0 && this.globalPax.size === 0 ? undefined : new Map([...this.globalPax, ...this.pax]);
    const value = (key: string) => {
      const bytes = pax?.get(key);
      return bytes === undefined || bytes.length === 0 ? undefined : bytes.toString('latin1');
    };
    const name = value('path') ?? this.longName ?? raw.name;
    const type = entryType(raw.flag, name);
    this.sparseRecords = new Map();
    for (const [key, bytes] of pax ?? [])
      if (key.startsWith(sparsePrefix))
        this.sparseRecords.set(key.slice(sparsePrefix.length), bytes.toString('latin1'));
    const has = (key: string) => value(key) !== undefined;
    const header: TarHeader = {
      type,
      name,
      linkName: value('linkpath') ?? this.longLink ?? raw.linkName,
      size: type !== 'file' ? 0 : has('size') ? parsePaxNumber(value('size')!, 'size') : raw.size,
      mode: raw.mode,
      uid: has('uid') ? parsePaxNumber(value('uid')!, 'uid') : raw.uid,
      gid: has('gid') ? parsePaxNumber(value('gid')!, 'gid') : raw.gid,
      modifiedNs: has('mtime') ? parsePaxTime(value('mtime')!) : raw.modifiedNs,
      accessedNs: has('atime') ? parsePaxTime(value('atime')!) : undefined,
      deviceMajor: raw.deviceMajor,
      deviceMinor: raw.deviceMinor,
      xattrs: xattrsOf(pax),
    };
    this.pax = new Map();
    this.longName = undefined;
    this.longLink = undefined;
    return header;
  }
}

const noXattrs: ReadonlyMap<string, Buffer> = new Map();

function xattrsOf(pax: Map<string, Buffer> | undefined): ReadonlyMap<string, Buffer> {
  if (pax === undefined) return noXattrs;
  let found: Map<string, Buffer> | undefined;
  for (const [key, value] of pax) {
    if (!key.startsWith(xattrPrefix)) continue;
    found ??= new Map();
    found.set(key.slice(xattrPrefix.length), value);
  }
  return found ?? noXattrs;
}

function entryType(flag: string, name: string): TarEntryType {
  switch (flag) {
    case 'S':
      return 'file';
    case '0':
    case '\0':
    case '7':
      return name.endsWith('/') ? 'directory' : 'file';
    case '1':
      return 'hardlink';
    case '2':
      return 'symlink';
    case '3':
      return 'character';
    case '4':
      return 'block';
    case '5':
      return 'directory';
    case '6':
      return 'fifo';
    default:
      throw invalidParameter(`unhandled tar header type ${flag.charCodeAt(0)} of "${name}"`);
  }
}

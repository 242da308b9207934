import { open, rm } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { invalidParameter } from '@gantry/sdk';
import { blockSize, TarReader } from '@gantry/sdk/tar';
import { type Compression, decompress, sniffCompression } from '../unpack/decompress';
import { cleanEntryPath } from '../unpack/entry-path';
import { BatchWriter } from './batch-writer';

export type ArchiveEntry =
  | { readonly kind: 'file'; readonly offset: number; readonly size: number }
  | { readonly kind: 'link'; readonly target: string };

/** A file of the archive that is written whole and looks like a layer: a tar archive, or something compressed. */
export interface LayerEntry {
  /** As the archive writes it. */
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

const magicOffset = 257;

/**
 * Writes a tar archive (plain, gzip or zstd) to a new file, uncompressed.
 *
 * @param onLayer told of likely layers as they come, long before the archive says which are
 * @returns where its entries are, by name
 * @throws invalid-parameter  not a tar archive; nothing stays
 */
export async function indexArchive(
  body: Readable,
  path: string,
  signal: AbortSignal,
  onLayer: (entry: LayerEntry) => void = () => {},
): Promise<ReadonlyMap<string, ArchiveEntry>> {
  const index = new ArchiveIndex();
  const file = await open(path, 'wx', 0o600);
  const writer = new BatchWriter(file, (written) => {
    for (const layer of index.layersBefore(written)) onLayer(layer);
  });
  try {
    // Also while its first bytes are awaited.
    addAbortSignal(signal, body);
    const { stream, compression } = await sniff(body);
    for await (const chunk of decompress(stream, compression) as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      index.add(chunk);
      await writer.write(chunk);
    }
    signal.throwIfAborted();
    index.end();
    await writer.end();
  } catch (error) {
    await writer.stop();
    await rm(path, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_')) throw invalidParameter(`cannot uncompress the archive: ${(error as Error).message}`);
    throw error;
  } finally {
    await file.close();
  }
  return index.entries;
}

/** What stands where in an archive whose bytes pass by. */
class ArchiveIndex {
  readonly entries = new Map<string, ArchiveEntry>();
  private readonly reader: TarReader;
  private position = 0;
  private file: { readonly layer: LayerEntry; head: Buffer } | undefined;
  private layers: LayerEntry[] = [];

  constructor() {
    this.reader = new TarReader({
      entry: (header) => {
        const { entries, position } = this;
        const { type, size } = header;
        const name = cleanEntryPath(header.name);
        if (type === 'file') {
          entries.set(name, { kind: 'file', offset: position, size });
          this.file = { layer: { name, offset: position, size }, head: Buffer.alloc(0) };
        } else if (type === 'symlink') entries.set(name, { kind: 'link', target: resolveLink(name, header.linkName) });
        else if (type === 'hardlink') entries.set(name, { kind: 'link', target: cleanEntryPath(header.linkName) });
        return true;
      },
      data: (chunk) => {
        const { file } = this;
        if (file !== undefined && file.head.length < blockSize)
          file.head = Buffer.concat([file.head, chunk.subarray(0, blockSize - file.head.length)]);
        this.position += chunk.length;
      },
      raw: (chunk) => {
        this.position += chunk.length;
      },
      entryEnd: () => {
        if (this.file !== undefined && looksLikeLayer(this.file.head)) this.layers.push(this.file.layer);
        this.file = undefined;
      },
    });
  }

  add(chunk: Buffer): void {
    this.reader.write(chunk);
  }

  end(): void {
    this.reader.end();
  }

  /** Those that end before a position, each once. */
  layersBefore(position: number): LayerEntry[] {
    const isThere = ({ offset, size }: LayerEntry) => offset + size <= position;
    const found = this.layers.filter(isThere);
    this.layers = this.layers.filter((layer) => !isThere(layer));
    return found;
  }
}

function looksLikeLayer(head: Buffer): boolean {
  if (head.toString('latin1', magicOffset, magicOffset + 5) === 'ustar') return true;
  try {
    return sniffCompression(head) !== 'none';
  } catch {
    return false;
  }
}

/** Looks at the first bytes and puts them back. */
async function sniff(body: Readable): Promise<{ stream: Readable; compression: Compression }> {
  for (;;) {
    const head = body.read() as Buffer | null;
    if (head !== null) {
      const compression = sniffCompression(head);
      body.unshift(head);
      return { stream: body, compression };
    }
    if (body.readableEnded) return { stream: body, compression: 'none' };
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error) => {
        body.off('readable', done);
        body.off('end', done);
        body.off('error', done);
        body.off('close', done);
        if (error instanceof Error) reject(error);
        else resolve();
      };
      body.once('readable', done);
      body.once('end', done);
      body.once('error', done);
      body.once('close', done);
    });
    if (body.destroyed && !body.readableEnded) throw body.errored ?? invalidParameter('the archive ended early');
  }
}

function resolveLink(name: string, target: string): string {
  const parts = name.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw invalidParameter(`invalid archive: ${name} leaves the archive`);
  }
  return parts.join('/');
}

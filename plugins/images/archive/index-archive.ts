import { open, rm } from 'node:fs/promises';
import { addAbortSignal, type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { invalidParameter } from '@gantry/sdk';
import { TarReader } from '@gantry/sdk/tar';
import { type Compression, decompress, sniffCompression } from '../unpack/decompress';
import { cleanEntryPath } from '../unpack/entry-path';

export type ArchiveEntry =
  | { readonly kind: 'file'; readonly offset: number; readonly size: number }
  | { readonly kind: 'link'; readonly target: string };

/**
 * Writes a tar archive (plain, gzip or zstd) to a new file, uncompressed.
 *
 * @returns where its entries are, by name
 * @throws invalid-parameter  not a tar archive; nothing stays
 */
export async function indexArchive(
  body: Readable,
  path: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ArchiveEntry>> {
  const entries = new Map<string, ArchiveEntry>();
  let position = 0;
  const reader = new TarReader({
    entry(header) {
      const name = cleanEntryPath(header.name);
      if (header.type === 'file') entries.set(name, { kind: 'file', offset: position, size: header.size });
      else if (header.type === 'symlink')
        entries.set(name, { kind: 'link', target: resolveLink(name, header.linkName) });
      else if (header.type === 'hardlink') entries.set(name, { kind: 'link', target: cleanEntryPath(header.linkName) });
      return true;
    },
    data: (chunk) => {
      position += chunk.length;
    },
    raw: (chunk) => {
      position += chunk.length;
    },
    entryEnd: () => {},
  });
  const indexer = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        reader.write(chunk);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      try {
        reader.end();
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
  // Opened here and not by the stream: a stream that fails early would make the file after it was removed.
  const file = await open(path, 'wx', 0o600);
  try {
    // Also while its first bytes are awaited.
    addAbortSignal(signal, body);
    const { stream, compression } = await sniff(body);
    const plain = decompress(stream, compression);
    await pipeline(plain, indexer, file.createWriteStream({ highWaterMark: 4 << 20 }), { signal });
  } catch (error) {
    await file.close();
    await rm(path, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_')) throw invalidParameter(`cannot uncompress the archive: ${(error as Error).message}`);
    throw error;
  }
  return entries;
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

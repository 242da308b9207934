import { closeSync, createReadStream, openSync, readSync, writeSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { invalidParameter } from '@gantry/sdk';
import { type TarHandler, type TarHeader, TarReader } from '@gantry/sdk/tar';
import { decompress, sniffCompression } from '../context/decompress';
import type { SourceEntry } from '../context/source-tree';
import { forFs, toText } from './byte-path';
import type { TreeWriter } from './tree-writer';

/** Whether a file is a tar archive, compressed or not: decided by its first header, not by its name. */
export async function isArchive(entry: SourceEntry): Promise<boolean> {
  if (entry.type !== 'file' || entry.size < 10) return false;
  let seen = false;
  const probe: TarHandler = {
    entry: () => {
      seen = true;
      return false;
    },
    data: () => {},
    entryEnd: () => {},
    raw: () => {},
  };
  const stream = open(entry);
  try {
    const reader = new TarReader(probe);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      reader.write(chunk);
      if (seen) break;
    }
  } catch {
    // No header, or no data of that compression: a file like others.
    return seen;
  } finally {
    stream.destroy();
  }
  return seen;
}

/** Unpacks an archive below a resolved directory. Links in it are followed inside the root only. */
export async function unpackArchive(entry: SourceEntry, directory: string, writer: TreeWriter): Promise<void> {
  const unpacker = new Unpacker(directory, writer);
  const reader = new TarReader(unpacker);
  const stream = open(entry);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) reader.write(chunk);
    reader.end();
    await finished(stream).catch(() => undefined);
  } finally {
    unpacker.close();
    stream.destroy();
  }
}

function open({ content, size }: SourceEntry) {
  const { path, offset } = content!;
  const head = Buffer.alloc(6);
  const fd = openSync(forFs(path), 'r');
  try {
    readSync(fd, head, 0, Math.min(6, size), offset);
  } finally {
    closeSync(fd);
  }
  const source = createReadStream(forFs(path), { start: offset, end: offset + size - 1, highWaterMark: 256 * 1024 });
  return decompress(source, sniffCompression(head));
}

class Unpacker implements TarHandler {
  private file: { fd: number; path: string; entry: SourceEntry } | undefined;

  constructor(
    private readonly directory: string,
    private readonly writer: TreeWriter,
  ) {}

  entry(header: TarHeader): boolean {
    const path = this.place(header.name);
    if (header.sparse !== undefined)
      throw invalidParameter(`"${toText(header.name)}": sparse files in archives are not supported by ADD`);
    if (path === this.directory) {
      if (header.type === 'directory') this.writer.makeDirectory(path);
      return false;
    }
    if (header.type === 'hardlink') {
      this.writer.put(path, entryOf(header, 'file'), this.place(header.linkName));
      return false;
    }
    const entry = entryOf(header, header.type);
    if (header.type !== 'file' || header.size === 0) {
      if (header.type === 'file') this.begin(path, entry);
      else this.writer.put(path, entry);
      return header.type === 'file';
    }
    this.begin(path, entry);
    return true;
  }

  data(chunk: Buffer): void {
    const { fd } = this.file!;
    for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at, chunk.length - at);
  }

  entryEnd(): void {
    const { file } = this;
    if (file === undefined) return;
    this.file = undefined;
    closeSync(file.fd);
    this.writer.finish(file.path, file.entry);
  }

  raw(): void {}

  close(): void {
    if (this.file !== undefined) closeSync(this.file.fd);
    this.file = undefined;
  }

  private begin(path: string, entry: SourceEntry): void {
    this.writer.makeWay(path);
    this.file = { fd: this.writer.create(path), path, entry };
  }

  /** The last part is not followed: an entry replaces a link. */
  private place(name: string): string {
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) throw invalidParameter(`invalid tar entry: "${toText(name)}" leads out of the archive`);
    const last = parts.pop();
    if (last === undefined) return this.directory;
    const parent = this.writer.resolve([this.directory, ...parts].filter(Boolean).join('/'));
    return parent === '' ? last : `${parent}/${last}`;
  }
}

function entryOf(header: TarHeader, type: SourceEntry['type']): SourceEntry {
  return {
    ...header,
    type,
    content: undefined,
    digest: undefined,
    device: { major: header.deviceMajor, minor: header.deviceMinor },
  };
}

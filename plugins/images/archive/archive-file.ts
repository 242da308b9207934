import { open, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { invalidParameter } from '@gantry/sdk';
import { punchHole } from '@gantry/sdk/linux/punch-hole';
import type { TransferThread } from '../transfer/transfer-thread';
import type { FileRange } from '../unpack/decompress';
import { cleanEntryPath } from '../unpack/entry-path';
import type { ArchiveEntry, LayerEntry } from './index-archive';

const maximumDocumentBytes = 8 << 20;

/** An image archive on disk, uncompressed, with an index of its entries. */
export class ArchiveFile {
  private constructor(
    readonly path: string,
    private readonly entries: ReadonlyMap<string, ArchiveEntry>,
  ) {}

  /**
   * Writes a stream (plain, gzip or zstd) to `path`, uncompressed, and indexes it on the way. The caller closes it.
   *
   * @param onLayer told of what looks like a layer as soon as it is in the file
   * @throws invalid-parameter  not a tar archive; nothing stays
   */
  static async spool(
    body: Readable,
    path: string,
    thread: TransferThread,
    signal: AbortSignal,
    onLayer: (entry: LayerEntry) => void,
  ): Promise<ArchiveFile> {
    return new ArchiveFile(path, await thread.spool(body, path, signal, onLayer));
  }

  close(): Promise<void> {
    return rm(this.path, { force: true });
  }

  /** Drops the bytes of a range: what was not written to the disk yet need not be, which makes the next sync cheaper. */
  async discard({ offset, length }: FileRange): Promise<void> {
    // A file system that cannot do it keeps them until the archive goes.
    if (length > 0) await punchHole(this.path, offset, length).catch(() => {});
  }

  names(): readonly string[] {
    return [...this.entries.keys()];
  }

  /** Where an entry's bytes are; symbolic and hard links inside the archive are followed. */
  find(name: string): FileRange | undefined {
    let at = cleanEntryPath(name);
    for (let hops = 0; hops < 8; hops++) {
      const entry = this.entries.get(at);
      if (entry === undefined) return undefined;
      if (entry.kind === 'file') return { path: this.path, offset: entry.offset, length: entry.size };
      at = entry.target;
    }
    return undefined;
  }

  /** @throws invalid-parameter  the entry is missing or larger than any document should be */
  async read(name: string): Promise<Buffer> {
    const range = this.find(name);
    if (range === undefined) throw invalidParameter(`invalid archive: it does not contain ${name}`);
    if (range.length > maximumDocumentBytes) throw invalidParameter(`invalid archive: ${name} is too large`);
    const file = await open(this.path, 'r');
    try {
      const content = Buffer.alloc(range.length);
      await file.read(content, 0, range.length, range.offset);
      return content;
    } finally {
      await file.close();
    }
  }

  async readJson(name: string): Promise<unknown> {
    try {
      return JSON.parse((await this.read(name)).toString('utf8'));
    } catch (error) {
      if (error instanceof SyntaxError) throw invalidParameter(`invalid archive: ${name}: ${error.message}`);
      throw error;
    }
  }
}

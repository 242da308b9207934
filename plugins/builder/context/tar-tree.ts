import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { systemError } from '@gantry/sdk';
import { type TarHeader, TarReader } from '@gantry/sdk/tar';
import { ListedTree } from './listed-tree';
import type { SourceEntry } from './source-tree';

const chunkBytes = 256 * 1024;

/** A tree inside an uncompressed tar file: its files are never unpacked, only copied from where they are needed. */
export class TarTree extends ListedTree {
  /**
   * Reads the headers of an archive and the digests of its files. Works in small pieces between reads, so that others
   * get their turn.
   *
   * @throws system  it is not a tar archive, or ends early
   */
  static async read(path: string, signal: AbortSignal): Promise<TarTree> {
    const tree = new TarTree();
    const indexer = new Indexer(path, tree);
    const reader = new TarReader(indexer);
    try {
      for await (const chunk of createReadStream(path, {
        highWaterMark: chunkBytes,
        signal,
      }) as AsyncIterable<Buffer>) {
        reader.write(chunk);
      }
      reader.end();
    } catch (error) {
      signal.throwIfAborted();
      throw systemError(`Error processing tar file: ${(error as Error).message}`, error);
    }
    return tree;
  }
}

/** Notes every entry with the place of its bytes. */
class Indexer {
  private position = 0;
  private file: { name: string; header: TarHeader; offset: number; hash: Hash } | undefined;

  constructor(
    private readonly path: string,
    private readonly tree: ListedTree,
  ) {}

  entry(header: TarHeader): boolean {
    const name = cleanName(header.name);
    if (header.sparse !== undefined) throw new Error(`"${name}" is a sparse file, which a build context cannot hold`);
    if (header.type === 'file') {
      this.file = { name, header, offset: this.position, hash: createHash('sha256') };
      return true;
    }
    if (header.type === 'hardlink') {
      const target = this.tree.find(cleanName(header.linkName));
      if (target === undefined) throw new Error(`hard link "${name}" leads to nothing in the archive`);
      this.tree.set(name, target);
      return false;
    }
    this.tree.set(name, entryOf(header, header.type, undefined, undefined));
    return false;
  }

  data(chunk: Buffer): void {
    this.position += chunk.length;
    this.file?.hash.update(chunk);
  }

  entryEnd(): void {
    const { file } = this;
    if (file === undefined) return;
    this.file = undefined;
    const content = { path: this.path, offset: file.offset };
    this.tree.set(file.name, entryOf(file.header, 'file', content, file.hash.digest('hex')));
  }

  raw(chunk: Buffer): void {
    this.position += chunk.length;
  }
}

function entryOf(
  header: TarHeader,
  type: SourceEntry['type'],
  content: SourceEntry['content'],
  digest: string | undefined,
): SourceEntry {
  const device = type === 'character' || type === 'block';
  return {
    type,
    mode: header.mode,
    uid: header.uid,
    gid: header.gid,
    size: header.size,
    modifiedNs: header.modifiedNs,
    linkName: header.linkName,
    content,
    digest,
    device: device ? { major: header.deviceMajor, minor: header.deviceMinor } : undefined,
    xattrs: header.xattrs,
  };
}

function cleanName(name: string): string {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      // As a path below a root: it cannot climb above it.
      parts.pop();
      continue;
    }
    parts.push(part);
  }
  return parts.join('/');
}

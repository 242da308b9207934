import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { invalidParameter, systemError } from '@gantry/sdk';
import { encodeTarHeader, type TarHeader, TarReader, tarPadding, tarTrailer } from '@gantry/sdk/tar';

const maximumConfigBytes = 4 << 20;
const writeBatchBytes = 1 << 20;
const root = 'rootfs';

/**
 * Takes apart what `docker plugin create` sends, plain or with gzip: `config.json`, and everything below `rootfs/`,
 * which is written to a file as a layer's archive. Other members are left out.
 *
 * @param layerPath must not exist
 * @returns the content of config.json
 * @throws invalid-parameter  the archive is malformed
 * @throws system             one of the two is missing; in dockerd's words
 */
export async function splitArchive(archive: Readable, layerPath: string, signal: AbortSignal): Promise<Buffer> {
  const layer = await open(layerPath, 'wx', 0o600);
  try {
    const splitter = new Splitter();
    const reader = new TarReader(splitter);
    const flush = async (atLeast: number) => {
      if (splitter.pendingBytes >= atLeast) await layer.writeFile(splitter.take());
    };
    for await (const chunk of plain(archive)) {
      signal.throwIfAborted();
      reader.write(chunk);
      await flush(writeBatchBytes);
    }
    reader.end();
    if (!splitter.hasRoot) throw systemError('no rootfs found: EOF');
    if (splitter.config === undefined) throw systemError('config not found');
    splitter.finish();
    await flush(1);
    return splitter.config;
  } finally {
    await layer.close();
  }
}

/** The bytes of an archive, whether or not it came with gzip. */
async function* plain(archive: Readable): AsyncGenerator<Buffer> {
  const chunks = archive[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  let next = await chunks.next();
  for (; !next.done && head.length < 2; next = await chunks.next()) head = Buffer.concat([head, next.value]);
  async function* all(): AsyncGenerator<Buffer> {
    yield head;
    for (; !next.done; next = await chunks.next()) yield next.value;
  }
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* all();
    return;
  }
  try {
    const source = Readable.from(all(), { objectMode: false });
    const unzipped = source.pipe(createGunzip());
    source.on('error', (error) => unzipped.destroy(error));
    for await (const chunk of unzipped as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw invalidParameter(`failed to read from tar: ${(error as Error).message}`, error);
  }
}

class Splitter {
  hasRoot = false;
  pendingBytes = 0;
  private configParts: Buffer[] | undefined;
  private pending: Buffer[] = [];
  private target: 'config' | 'layer' | 'nowhere' = 'nowhere';
  private size = 0;

  get config(): Buffer | undefined {
    return this.configParts && Buffer.concat(this.configParts);
  }

  entry(header: TarHeader): boolean {
    const parts = header.name.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.length === 1 && parts[0] === 'config.json') {
      if (header.size > maximumConfigBytes) throw systemError('failed to read config.json: it is too large');
      this.target = 'config';
      this.configParts = [];
      return true;
    }
    if (parts[0] !== root) {
      this.target = 'nowhere';
      return false;
    }
    if (header.sparse !== undefined)
      throw invalidParameter(`"${header.name}" is a sparse file: make the archive without sparse files`);
    this.target = 'layer';
    this.hasRoot = true;
    this.size = header.type === 'file' ? header.size : 0;
    const linkName = header.type === 'hardlink' ? header.linkName.replace(/^(\.?\/)*rootfs\//i, '') : header.linkName;
    this.put(encodeTarHeader({ ...header, linkName, name: parts.slice(1).join('/') || './' }));
    return true;
  }

  data(chunk: Buffer): void {
    // The reader's chunks are reused by nobody, but they hold whole buffers of the connection.
    if (this.target === 'config') this.configParts!.push(Buffer.from(chunk));
    if (this.target === 'layer') this.put(chunk);
  }

  entryEnd(): void {
    if (this.target === 'layer') this.put(tarPadding(this.size));
  }

  raw(): void {
    // Headers are written anew.
  }

  finish(): void {
    this.put(tarTrailer());
  }

  take(): Buffer {
    const all = Buffer.concat(this.pending);
    this.pending = [];
    this.pendingBytes = 0;
    return all;
  }

  private put(bytes: Buffer): void {
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
  }
}

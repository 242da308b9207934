import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { RecipeWriter } from '../unpack/layer-recipe';
import { LayerPacker, type PackSink } from './layer-packer';

export interface PackRequest {
  /** The layer's own directory, absolute, in overlayfs form. */
  readonly directory: string;
  /** `archive`: a tar; `recipe`: everything of it but the files' contents, and the directory is made a layer. */
  readonly form: 'archive' | 'recipe';
  /** Where that is written; must not exist. */
  readonly path: string;
  /** Milliseconds since the epoch: files that are newer get this time. */
  readonly latestMs?: number;
}

export interface PackResult {
  /** Digest of the archive, which is not compressed. */
  readonly diffId: string;
  /** Of the archive. */
  readonly sizeBytes: number;
  /** Of the regular files in it, and of the targets of symbolic links. */
  readonly fileBytes: number;
  /** Zero = nothing was changed. */
  readonly entries: number;
}

const bufferBytes = 1 << 20;

/** Packs a writable layer and computes its diffID on the way. Synchronous: run it in a worker. */
export function packLayer(request: PackRequest, isCancelled: () => boolean): PackResult {
  const hash = createHash('sha256');
  const out = request.form === 'archive' ? new ArchiveSink(request.path, hash) : new RecipeSink(request.path, hash);
  try {
    const { latestMs } = request;
    const options = {
      latestNs: latestMs === undefined ? undefined : BigInt(latestMs) * 1_000_000n,
      settle: request.form === 'recipe',
    };
    const packer = new LayerPacker(out, options, isCancelled);
    packer.pack(request.directory);
    out.finish();
    const { sizeBytes, fileBytes } = out;
    return { diffId: `sha256:${hash.digest('hex')}`, sizeBytes, fileBytes, entries: packer.entries };
  } finally {
    out.close();
  }
}

/** Headers are small: they are gathered, so that a tree of little files does not become a write each. */
class ArchiveSink implements PackSink {
  sizeBytes = 0;
  fileBytes = 0;
  private readonly fd: number;
  private readonly buffer = Buffer.allocUnsafe(bufferBytes);
  private filled = 0;

  constructor(
    path: string,
    private readonly hash: Hash,
  ) {
    this.fd = openSync(path, 'wx', 0o600);
  }

  bytes(bytes: Buffer): void {
    if (this.filled + bytes.length > bufferBytes) this.finish();
    if (bytes.length >= bufferBytes) this.put(bytes);
    else this.filled += bytes.copy(this.buffer, this.filled);
  }

  file(_name: string, size: number): void {
    this.fileBytes += size;
  }

  content(bytes: Buffer): void {
    this.bytes(bytes);
  }

  link(size: number): void {
    this.fileBytes += size;
  }

  finish(): void {
    if (this.filled > 0) this.put(this.buffer.subarray(0, this.filled));
    this.filled = 0;
  }

  close(): void {
    closeSync(this.fd);
  }

  private put(bytes: Buffer): void {
    this.hash.update(bytes);
    this.sizeBytes += bytes.length;
    for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at, bytes.length - at);
  }
}

class RecipeSink implements PackSink {
  sizeBytes = 0;
  fileBytes = 0;
  private readonly recipe: RecipeWriter;

  constructor(
    path: string,
    private readonly hash: Hash,
  ) {
    this.recipe = new RecipeWriter(path);
  }

  bytes(bytes: Buffer): void {
    this.content(bytes);
    this.recipe.bytes(bytes);
  }

  file(name: string, size: number): void {
    this.fileBytes += size;
    if (size > 0) this.recipe.file(name, 0, size);
  }

  content(bytes: Buffer): void {
    this.hash.update(bytes);
    this.sizeBytes += bytes.length;
  }

  link(size: number): void {
    this.fileBytes += size;
  }

  finish(): void {
    this.recipe.finish();
  }

  close(): void {
    this.recipe.close();
  }
}

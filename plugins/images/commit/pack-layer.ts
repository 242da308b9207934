import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { LayerPacker } from './layer-packer';

export interface PackRequest {
  /** The layer's own directory, absolute, in overlayfs form. */
  readonly directory: string;
  /** Where its archive is written; must not exist. */
  readonly archivePath: string;
}

export interface PackResult {
  /** Digest of the archive, which is not compressed. */
  readonly diffId: string;
  readonly sizeBytes: number;
  /** Zero = nothing was changed. */
  readonly entries: number;
}

const bufferBytes = 1 << 20;

/** Writes the archive of a writable layer and computes its diffID on the way. Synchronous: run it in a worker. */
export function packLayer(request: PackRequest, isCancelled: () => boolean): PackResult {
  const hash = createHash('sha256');
  const fd = openSync(request.archivePath, 'wx', 0o600);
  try {
    let sizeBytes = 0;
    // Headers are small: they are gathered, so that a tree of little files does not become a write each.
    const buffer = Buffer.allocUnsafe(bufferBytes);
    let filled = 0;
    const put = (bytes: Buffer) => {
      hash.update(bytes);
      sizeBytes += bytes.length;
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at);
    };
    const flush = () => {
      if (filled > 0) put(buffer.subarray(0, filled));
      filled = 0;
    };
    const packer = new LayerPacker((bytes) => {
      if (filled + bytes.length > bufferBytes) flush();
      if (bytes.length >= bufferBytes) return put(bytes);
      filled += bytes.copy(buffer, filled);
    }, isCancelled);
    packer.pack(request.directory);
    flush();
    return { diffId: `sha256:${hash.digest('hex')}`, sizeBytes, entries: packer.entries };
  } finally {
    closeSync(fd);
  }
}

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { TarReader } from '@gantry/sdk/tar';
import { type FileRange, readDecompressed } from './decompress';
import { LayerExtractor } from './layer-extractor';
import { RecipeWriter } from './layer-recipe';

export interface UnpackRequest {
  readonly source: FileRange;
  /** Existing empty directory, absolute. */
  readonly directory: string;
  /** Where the layer's recipe is written; must not exist. */
  readonly recipePath: string;
}

export interface UnpackResult {
  /** Digest of the uncompressed archive. */
  readonly diffId: string;
  /** Bytes of the uncompressed archive. */
  readonly tarSizeBytes: number;
  /** Bytes of the regular files in it, and of the targets of symbolic links. */
  readonly sizeBytes: number;
  /** Directories (byte strings, parents first) that the archive implied without describing them. */
  readonly impliedDirectories: readonly string[];
}

/**
 * Unpacks one layer and computes its diffID on the way. Works synchronously between reads: run it in a worker.
 * On failure the directory holds whatever was written; the caller removes it.
 *
 * @throws invalid-parameter  the archive is malformed or reaches outside the directory
 * @throws cancelled          `isCancelled` answered true
 */
export async function unpackLayer(
  request: UnpackRequest,
  onProgress: (tarBytes: number) => void,
  isCancelled: () => boolean,
): Promise<UnpackResult> {
  const hash = createHash('sha256');
  const extractor = new LayerExtractor(request.directory);
  const recipe = new RecipeWriter(request.recipePath);
  let stream: Readable | undefined;
  try {
    const reader = new TarReader({
      entry(header) {
        const path = extractor.begin(header);
        if (path === undefined) return false;
        for (const { offset, size } of header.sparse?.segments ?? [{ offset: 0, size: header.size }])
          if (size > 0) recipe.file(path, offset, size);
        return true;
      },
      data: (chunk) => extractor.write(chunk),
      entryEnd: () => extractor.endEntry(),
      raw: (chunk) => recipe.bytes(chunk),
    });
    let tarSizeBytes = 0;
    stream = await readDecompressed(request.source);
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (isCancelled()) throw new UnpackCancelled();
      hash.update(chunk);
      reader.write(chunk);
      tarSizeBytes += chunk.length;
      onProgress(tarSizeBytes);
    }
    reader.end();
    extractor.finish();
    recipe.finish();
    return {
      diffId: `sha256:${hash.digest('hex')}`,
      tarSizeBytes,
      sizeBytes: extractor.sizeBytes,
      impliedDirectories: extractor.impliedDirectories,
    };
  } finally {
    stream?.destroy();
    extractor.close();
    recipe.close();
  }
}

export class UnpackCancelled extends Error {
  constructor() {
    super('unpacking was cancelled');
    this.name = 'UnpackCancelled';
  }
}

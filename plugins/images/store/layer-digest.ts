import { createHash } from 'node:crypto';
import { type FileRange, readDecompressed } from '../unpack/decompress';

/** The diffID of a layer archive whose digest nobody has told. */
export async function digestOfLayer(range: FileRange, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const stream = await readDecompressed(range);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    hash.update(chunk);
  }
  return `sha256:${hash.digest('hex')}`;
}

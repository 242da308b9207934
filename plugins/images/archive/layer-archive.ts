import { createHash } from 'node:crypto';
import { close, open, read } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemError } from '@gantry/sdk';
import type { LayerRecord, LayerStore } from '../store/layer-store';
import { systemPath } from '../unpack/entry-path';
import { type RecipeStep, readRecipe } from '../unpack/layer-recipe';

/** A stretch of the archive: parts are there, the rest is to be read from files. */
interface Batch {
  readonly buffer: Buffer;
  length: number;
  readonly reads: FileRead[];
}

interface FileRead {
  readonly path: string;
  readonly fileOffset: number;
  readonly bufferOffset: number;
  readonly length: number;
}

const batchBytes = 1 << 20;
// Plain descriptors: a FileHandle for each of thousands of small files costs more than reading it.
const openFile = promisify(open);
const closeFile = promisify(close);
const readFile = promisify(read);

/**
 * The uncompressed archive a layer came from, bit for bit. Reads one batch ahead.
 *
 * @throws system  at the end, when a file of the layer was changed or damaged
 */
export async function* readLayerArchive(layer: LayerRecord, layers: LayerStore): AsyncGenerator<Buffer> {
  const root = await layers.diffPath(layer.chainId);
  const hash = createHash('sha256');
  let ahead: Promise<Buffer> | undefined;
  for await (const batch of batches(readRecipe(layers.recipePath(layer.chainId)))) {
    const next = fill(batch, root);
    // Looked at in the next round; until then a failure is not unhandled.
    next.catch(() => {});
    if (ahead !== undefined) yield hashed(await ahead);
    ahead = next;
  }
  if (ahead !== undefined) yield hashed(await ahead);
  const diffId = `sha256:${hash.digest('hex')}`;
  if (diffId !== layer.diffId) throw systemError(`layer ${layer.diffId} is damaged on disk: its files give ${diffId}`);

  function hashed(chunk: Buffer): Buffer {
    hash.update(chunk);
    return chunk;
  }
}

async function* batches(steps: AsyncIterable<RecipeStep>): AsyncGenerator<Batch> {
  let batch = newBatch();
  for await (const step of steps) {
    const size = step.kind === 'bytes' ? step.bytes.length : step.size;
    for (let done = 0; done < size; ) {
      const length = Math.min(size - done, batchBytes - batch.length);
      if (step.kind === 'bytes') step.bytes.copy(batch.buffer, batch.length, done, done + length);
      else {
        const fileOffset = step.offset + done;
        batch.reads.push({ path: step.path, fileOffset, bufferOffset: batch.length, length });
      }
      batch.length += length;
      done += length;
      if (batch.length < batchBytes) continue;
      yield batch;
      batch = newBatch();
    }
  }
  if (batch.length > 0) yield batch;
}

const newBatch = (): Batch => ({ buffer: Buffer.allocUnsafe(batchBytes), length: 0, reads: [] });

async function fill(batch: Batch, root: string): Promise<Buffer> {
  await Promise.all(batch.reads.map((job) => readInto(batch.buffer, job, root)));
  return batch.length === batchBytes ? batch.buffer : batch.buffer.subarray(0, batch.length);
}

async function readInto(buffer: Buffer, job: FileRead, root: string): Promise<void> {
  const fd = await openFile(filePath(root, job.path), 'r');
  try {
    for (let done = 0; done < job.length; ) {
      const { bytesRead } = await readFile(
        fd,
        buffer,
        job.bufferOffset + done,
        job.length - done,
        job.fileOffset + done,
      );
      if (bytesRead === 0) throw systemError(`file ${job.path} of a layer is shorter than it was`);
      done += bytesRead;
    }
  } finally {
    await closeFile(fd);
  }
}

function filePath(root: string, relative: string): string | Buffer {
  const name = systemPath(relative);
  return typeof name === 'string' ? join(root, name) : Buffer.concat([Buffer.from(`${root}/`), name]);
}

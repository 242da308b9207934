import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { pipeline } from 'node:stream';
import { createGunzip, gzipSync } from 'node:zlib';
import { systemError } from '@gantry/sdk';

/**
 * How to make a layer's tar again, bit for bit, from its unpacked files: everything of the archive except the
 * contents of regular files, which are named by path. A sequence of records, in gzip members:
 *
 * - `1`, u32 length, bytes: copy these bytes;
 * - `2`, u32 path length, path bytes, u64 offset, u64 size: copy this part of a file.
 */
export type RecipeStep =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'file'; readonly path: string; readonly offset: number; readonly size: number };

const flushBytes = 256 * 1024;

/** Writes a recipe, synchronously. */
export class RecipeWriter {
  private readonly fd: number;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private rawParts: Buffer[] = [];
  private rawBytes = 0;

  constructor(path: string) {
    this.fd = openSync(path, 'wx', 0o600);
  }

  bytes(chunk: Buffer): void {
    // The reader's buffers are reused.
    this.rawParts.push(Buffer.from(chunk));
    this.rawBytes += chunk.length;
    if (this.rawBytes >= flushBytes) this.endRaw();
  }

  file(path: string, offset: number, size: number): void {
    this.endRaw();
    const name = Buffer.from(path, 'latin1');
    const head = Buffer.alloc(5 + name.length + 16);
    head[0] = 2;
    head.writeUInt32BE(name.length, 1);
    name.copy(head, 5);
    head.writeBigUInt64BE(BigInt(offset), 5 + name.length);
    head.writeBigUInt64BE(BigInt(size), 13 + name.length);
    this.push(head);
  }

  finish(): void {
    this.endRaw();
    this.flush();
  }

  close(): void {
    closeSync(this.fd);
  }

  private endRaw(): void {
    if (this.rawBytes === 0) return;
    const head = Buffer.alloc(5);
    head[0] = 1;
    head.writeUInt32BE(this.rawBytes, 1);
    this.push(head, ...this.rawParts);
    this.rawParts = [];
    this.rawBytes = 0;
  }

  private push(...parts: Buffer[]): void {
    for (const part of parts) {
      this.pending.push(part);
      this.pendingBytes += part.length;
    }
    if (this.pendingBytes >= flushBytes) this.flush();
  }

  private flush(): void {
    if (this.pendingBytes === 0) return;
    const packed = gzipSync(Buffer.concat(this.pending), { level: 1 });
    this.pending = [];
    this.pendingBytes = 0;
    for (let at = 0; at < packed.length; ) at += writeSync(this.fd, packed, at);
  }
}

/** The steps of a recipe in order. @throws system  the file is damaged */
export async function* readRecipe(path: string): AsyncGenerator<RecipeStep> {
  let buffer: Buffer = Buffer.alloc(0);
  const source = createGunzip({ chunkSize: flushBytes });
  // A read error reaches the loop below by destroying `source`.
  pipeline(createReadStream(path), source, () => {});
  for await (const chunk of source as AsyncIterable<Buffer>) {
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
    for (;;) {
      const step = parseStep(buffer);
      if (step === undefined) break;
      buffer = buffer.subarray(step.length);
      yield step.step;
    }
  }
  if (buffer.length > 0) throw systemError(`layer recipe ${path} is damaged`);
}

function parseStep(buffer: Buffer): { step: RecipeStep; length: number } | undefined {
  if (buffer.length < 5) return undefined;
  const length = buffer.readUInt32BE(1);
  if (buffer[0] === 1) {
    if (buffer.length < 5 + length) return undefined;
    return { step: { kind: 'bytes', bytes: buffer.subarray(5, 5 + length) }, length: 5 + length };
  }
  if (buffer[0] !== 2) throw systemError('layer recipe is damaged: unknown step');
  if (buffer.length < 5 + length + 16) return undefined;
  const path = buffer.toString('latin1', 5, 5 + length);
  const offset = Number(buffer.readBigUInt64BE(5 + length));
  const size = Number(buffer.readBigUInt64BE(13 + length));
  return { step: { kind: 'file', path, offset, size }, length: 5 + length + 16 };
}

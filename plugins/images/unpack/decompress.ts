import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { PassThrough, pipeline, type Readable, Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { invalidParameter, systemError } from '@gantry/sdk';
import { Decompress } from 'fzstd';

export type Compression = 'none' | 'gzip' | 'zstd';

/** A range of bytes in a file. */
export interface FileRange {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

const chunkBytes = 512 * 1024;

/** Compression by the first bytes of a stream. @throws invalid-parameter a compression that is not supported */
export function sniffCompression(head: Buffer): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return 'zstd';
  if (head.length >= 4 && (head.readUInt32LE(0) & 0xfffffff0) >>> 0 === 0x184d2a50) return 'zstd';
  if (head.length >= 3 && head.toString('latin1', 0, 3) === 'BZh')
    throw invalidParameter('bzip2 compressed archives are not supported; use gzip, zstd or no compression');
  if (head.length >= 6 && head.toString('latin1', 0, 6) === '\xfd7zXZ\0')
    throw invalidParameter('xz compressed archives are not supported; use gzip, zstd or no compression');
  return 'none';
}

export async function sniffRange(range: FileRange): Promise<Compression> {
  const file = await open(range.path, 'r');
  try {
    const head = Buffer.alloc(Math.min(6, range.length));
    await file.read(head, 0, head.length, range.offset);
    return sniffCompression(head);
  } finally {
    await file.close();
  }
}

/** The uncompressed bytes of a file range. Destroy the stream to stop early. */
export async function readDecompressed(range: FileRange): Promise<Readable> {
  if (range.length === 0) return new PassThrough().end();
  const compression = await sniffRange(range);
  const source = createReadStream(range.path, {
    start: range.offset,
    end: range.offset + range.length - 1,
    highWaterMark: chunkBytes,
  });
  return decompress(source, compression);
}

/** Uncompresses a stream; errors of `source` appear on the result, destroying the result destroys `source`. */
export function decompress(source: Readable, compression: Compression): Readable {
  if (compression === 'none') return source;
  if (compression === 'zstd') return zstd(source);
  const gunzip = createGunzip({ chunkSize: chunkBytes });
  pipeline(source, gunzip, () => {});
  return gunzip;
}

/** By the `zstd` program where there is one, otherwise in JavaScript at an eighth of the speed. */
function zstd(source: Readable): Readable {
  const out = new PassThrough({ highWaterMark: chunkBytes });
  const child = spawn('zstd', ['-dc', '--no-progress', '-q'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < 1000) stderr += chunk.toString();
  });
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && child.pid === undefined) pipeline(source, zstdInProcess(), out, () => {});
    else out.destroy(error);
  });
  child.once('spawn', () => {
    // A child that stops early breaks the pipe; its exit code and words tell more.
    child.stdin.on('error', () => {});
    pipeline(source, child.stdin, (error) => {
      if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') out.destroy(error);
    });
    child.stdout.pipe(out, { end: false });
    child.once('close', (code) => {
      if (code === 0) out.end();
      else out.destroy(invalidParameter(`cannot uncompress zstd data: ${stderr.trim() || `zstd ended with ${code}`}`));
    });
  });
  out.once('close', () => {
    source.destroy();
    if (child.exitCode === null) child.kill('SIGKILL');
  });
  return out;
}

function zstdInProcess(): Transform {
  const parts: Buffer[] = [];
  let ended = false;
  const stream = new Decompress((chunk, final) => {
    if (chunk.length > 0) parts.push(Buffer.from(chunk));
    if (final) ended = true;
  });
  const flush = (transform: Transform) => {
    for (const part of parts.splice(0)) transform.push(part);
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        stream.push(chunk);
        flush(this);
        done();
      } catch (error) {
        done(invalidParameter('cannot uncompress zstd data', error));
      }
    },
    flush(done) {
      try {
        stream.push(new Uint8Array(0), true);
        flush(this);
        done(ended ? null : systemError('cannot uncompress zstd data: it ends early'));
      } catch (error) {
        done(invalidParameter('cannot uncompress zstd data', error));
      }
    },
  });
}

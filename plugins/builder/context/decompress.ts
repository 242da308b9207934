import { spawn } from 'node:child_process';
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { invalidParameter, systemError } from '@gantry/sdk';

/** How an archive may be compressed. */
export type Compression = 'none' | 'gzip' | 'bzip2' | 'xz' | 'zstd';

/** Compression by the first bytes of a stream; six are enough. */
export function sniffCompression(head: Buffer): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head.toString('latin1', 0, 3) === 'BZh') return 'bzip2';
  if (head.toString('latin1', 0, 6) === '\xfd7zXZ\0') return 'xz';
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return 'zstd';
  return 'none';
}

/**
 * The uncompressed bytes of a stream. Its errors appear on the result, destroying the result destroys it.
 * bzip2, xz and zstd are left to the programs of that name.
 */
export function decompress(source: Readable, compression: Compression): Readable {
  if (compression === 'none') return source;
  if (compression === 'gzip') {
    const gunzip = createGunzip({ chunkSize: 256 * 1024 });
    pipeline(source, gunzip, () => {});
    return gunzip;
  }
  return throughProgram(source, compression);
}

function throughProgram(source: Readable, program: string): Readable {
  const out = new PassThrough({ highWaterMark: 256 * 1024 });
  const child = spawn(program, ['-d', '-c', '-q'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < 1000) stderr += chunk.toString();
  });
  child.once('error', (error: NodeJS.ErrnoException) => {
    const missing = error.code === 'ENOENT';
    out.destroy(
      missing ? systemError(`cannot uncompress ${program} data: install the program "${program}"`, error) : error,
    );
  });
  // A child that stops early breaks the pipe; its exit code and words tell more.
  child.stdin.on('error', () => {});
  pipeline(source, child.stdin, (error) => {
    if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') out.destroy(error);
  });
  child.stdout.pipe(out, { end: false });
  child.once('close', (code) => {
    if (code === 0) out.end();
    else
      out.destroy(invalidParameter(`cannot uncompress ${program} data: ${stderr.trim() || `it ended with ${code}`}`));
  });
  out.once('close', () => {
    source.destroy();
    if (child.exitCode === null) child.kill('SIGKILL');
  });
  return out;
}

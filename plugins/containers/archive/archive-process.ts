/*
 * The process behind `docker cp`: it enters the container's file system for good, so that no link in there can lead
 * it out, and packs or unpacks between that and its standard streams.
 */
import { closeSync, readSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join, posix } from 'node:path';
import { errorKind, errorMessage } from '@gantry/sdk/errors';
import { chroot, unshareMounts } from '@gantry/sdk/linux/chroot';
import { mount, mountFlags } from '@gantry/sdk/linux/mount';
import { openInside } from '@gantry/sdk/linux/open-inside';
import { type ArchiveJob, type ArchiveReport, REPORT_FD } from './archive-job';
import { fromText } from './byte-path';
import { statPath } from './path-stat';
import { TreePacker } from './tree-packer';
import { TreeUnpacker } from './tree-unpacker';

const CHUNK_BYTES = 1 << 20;

function main(job: ArchiveJob): void {
  try {
    enter(job);
    switch (job.action) {
      case 'stat':
        report({ ok: true, stat: statPath(resolvable(job.path)) });
        return;
      case 'pack': {
        const path = resolvable(job.path);
        report({ ok: true, stat: statPath(path) });
        new TreePacker(writeOut).pack(fromText(path), fromText(nameInArchive(job.path)));
        return;
      }
      case 'export':
        report({ ok: true, stat: statPath('/') });
        new TreePacker(writeOut).packContents('/');
        return;
      case 'unpack': {
        if (!statSync(job.path).isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
        const unpacker = new TreeUnpacker(fromText(posix.normalize(job.path)), job);
        readIn((chunk) => unpacker.write(chunk));
        unpacker.end();
        report({ ok: true, stat: undefined });
        return;
      }
    }
  } catch (error) {
    report({ ok: false, reason: reasonOf(error), message: errorMessage(error) });
    process.exitCode = 1;
  }
}

function enter({ root, binds }: ArchiveJob): void {
  if (binds.length > 0) {
    unshareMounts();
    mount('none', '/', null, mountFlags.private | mountFlags.recursive);
    for (const { source, subpath, destination, readWrite } of binds) {
      const target = join(root, destination);
      // Opened in here: only what is of this process's own mounts can be mounted again.
      const part = subpath === '' ? undefined : openInside(source, subpath);
      mount(
        part === undefined ? source : `/proc/self/fd/${part}`,
        target,
        null,
        mountFlags.bind | mountFlags.recursive,
      );
      if (part !== undefined) closeSync(part);
      if (!readWrite) mount('none', target, null, mountFlags.bind | mountFlags.remount | mountFlags.readonly);
    }
  }
  chroot(root);
}

/** A trailing slash or `/.` asks for what a link at the end leads to. */
function resolvable(path: string): string {
  const clean = posix.normalize(path);
  return path.endsWith('/') || path.endsWith('/.') ? posix.join(clean, '.', '/') : clean;
}

/** `/a/b` is archived as `b`, `/a/.` and `/./` as `.`, the root as names that begin with a slash. */
function nameInArchive(path: string): string {
  if (posix.normalize(path) === '/') return /\/\.\/*$/.test(path) ? '.' : '';
  return path.endsWith('/.') ? '.' : posix.basename(path);
}

function report(answer: ArchiveReport): void {
  writeFileSync(REPORT_FD, `${JSON.stringify(answer)}\n`);
}

function writeOut(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at, bytes.length - at);
}

function readIn(take: (chunk: Buffer) => void): void {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const length = readSync(0, chunk, 0, CHUNK_BYTES, null);
    if (length === 0) return;
    take(chunk.subarray(0, length));
  }
}

function reasonOf(error: unknown): Extract<ArchiveReport, { ok: false }>['reason'] {
  if (errorKind(error) === 'invalid-parameter') return 'invalid';
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
      return 'missing';
    case 'ENOTDIR':
      return 'not-a-directory';
    case 'EROFS':
      return 'read-only';
    default:
      return 'failed';
  }
}

main(JSON.parse(process.argv[2] ?? '') as ArchiveJob);

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { encodeTarHeader, type TarEntryType, type TarHeader, TarReader, tarPadding, tarTrailer } from '@gantry/sdk/tar';
import { splitArchive } from '../install/split-archive';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-split-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Member {
  readonly name: string;
  readonly type?: TarEntryType;
  readonly data?: string;
  readonly linkName?: string;
}

const archive = (...members: Member[]): Buffer =>
  Buffer.concat([
    ...members.flatMap(({ name, type = 'file', data = '', linkName = '' }) => {
      const numbers = { mode: 0o640, uid: 7, gid: 8, modifiedNs: 5_000_000_001n, deviceMajor: 0, deviceMinor: 0 };
      const xattrs = new Map([['user.note', Buffer.from('kept')]]);
      const header = { name, type, linkName, size: data.length, ...numbers, xattrs };
      return [encodeTarHeader(header), Buffer.from(data), tarPadding(data.length)];
    }),
    tarTrailer(),
  ]);

async function split(bytes: Buffer, pieceBytes = 100) {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  const layerPath = join(folder, 'layer.tar');
  const config = await splitArchive(Readable.from(pieces), layerPath, new AbortController().signal);
  const entries: (TarHeader & { content: string })[] = [];
  const reader = new TarReader({
    entry: (header) => entries.push({ ...header, content: '' }) > 0,
    data: (chunk) => {
      entries.at(-1)!.content += chunk;
    },
    entryEnd: () => undefined,
    raw: () => undefined,
  });
  reader.write(readFileSync(layerPath));
  reader.end();
  return { config: config.toString(), entries };
}

const whole = archive(
  { name: './config.json', data: '{"description":"x"}' },
  { name: 'README', data: 'not wanted' },
  { name: 'rootfs/', type: 'directory' },
  { name: 'rootfs/bin/run', data: 'r'.repeat(3000) },
  { name: 'rootfs/bin/again', type: 'hardlink', linkName: 'rootfs/bin/run' },
  { name: 'rootfs/sh', type: 'symlink', linkName: 'rootfs/bin/sh' },
);

test.each([
  ['plain', whole, 100],
  ['byte by byte', whole, 1],
  ['with gzip', gzipSync(whole), 37],
])('an archive that comes %s is taken apart', async (_how, bytes, pieceBytes) => {
  const { config, entries } = await split(bytes, pieceBytes);
  expect(config).toBe('{"description":"x"}');
  expect(entries.map(({ name, type, linkName }) => [name, type, linkName])).toEqual([
    ['./', 'directory', ''],
    ['bin/run', 'file', ''],
    ['bin/again', 'hardlink', 'bin/run'],
    ['sh', 'symlink', 'rootfs/bin/sh'],
  ]);
  expect(entries[1]).toMatchObject({ mode: 0o640, uid: 7, gid: 8, modifiedNs: 5_000_000_001n });
  expect(entries[1]!.content).toBe('r'.repeat(3000));
  expect(entries[1]!.xattrs.get('user.note')?.toString()).toBe('kept');
});

test.each([
  ['no rootfs', archive({ name: 'config.json', data: '{}' }), 'no rootfs found: EOF'],
  ['no config', archive({ name: 'rootfs/x', data: '1' }), 'config not found'],
  ['nothing', Buffer.alloc(0), 'no rootfs found: EOF'],
  ['half an archive', whole.subarray(0, 2500), /unexpected EOF/],
  ['broken gzip', Buffer.concat([gzipSync(whole).subarray(0, 60), Buffer.alloc(9)]), /failed to read from tar/],
  ['no archive at all', Buffer.alloc(1024, 'junk'), /tar/],
])('%s is refused', async (_what, bytes, message) => {
  await expect(split(bytes)).rejects.toThrow(message);
});

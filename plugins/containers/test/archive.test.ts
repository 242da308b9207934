import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeTarHeader, tarPadding, tarTrailer } from '@gantry/sdk/tar';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { statPath } from '../archive/path-stat';
import { TreePacker } from '../archive/tree-packer';
import { TreeUnpacker } from '../archive/tree-unpacker';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gantry-archive-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const options = { noOverwriteDirNonDir: false, owner: undefined };

function unpack(archive: Buffer, target: string, given: Partial<typeof options> = {}): void {
  const unpacker = new TreeUnpacker(target, { ...options, ...given });
  // In odd pieces, as a network would bring it.
  for (let at = 0; at < archive.length; at += 700) unpacker.write(archive.subarray(at, at + 700));
  unpacker.end();
}

function fileEntry(name: string, content: string): Buffer {
  const header = encodeTarHeader({
    type: 'file',
    name,
    linkName: '',
    size: content.length,
    mode: 0o644,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    modifiedNs: 0n,
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: new Map(),
  });
  return Buffer.concat([header, Buffer.from(content), tarPadding(content.length), tarTrailer()]);
}

test('a tree comes back as it went in', () => {
  const from = join(directory, 'tree');
  mkdirSync(join(from, 'sub'), { recursive: true });
  writeFileSync(join(from, 'file'), 'x'.repeat(2000));
  chmodSync(join(from, 'file'), 0o4711);
  linkSync(join(from, 'file'), join(from, 'same'));
  symlinkSync('/etc/passwd', join(from, 'link'));
  writeFileSync(join(from, 'sub', 'grün'), '');
  utimesSync(join(from, 'sub'), 1000, 1000);
  const parts: Buffer[] = [];
  new TreePacker((bytes) => parts.push(Buffer.from(bytes))).pack(from, 'copy');
  unpack(Buffer.concat(parts), directory);

  const copy = join(directory, 'copy');
  expect(readFileSync(join(copy, 'file'), 'utf8')).toHaveLength(2000);
  expect(lstatSync(join(copy, 'file')).mode & 0o7777).toBe(0o4711);
  expect(lstatSync(join(copy, 'same')).ino).toBe(lstatSync(join(copy, 'file')).ino);
  expect(readlinkSync(join(copy, 'link'))).toBe('/etc/passwd');
  expect(readdirSync(join(copy, 'sub'))).toEqual(['grün']);
  expect(lstatSync(join(copy, 'sub')).mtimeMs).toBe(1_000_000);
});

test('an entry that leads out of the archive is refused', () => {
  const target = join(directory, 'target');
  mkdirSync(target);
  expect(() => unpack(fileEntry('../evil', 'x'), target)).toThrow('leads out of the archive');
  expect(readdirSync(directory)).toEqual(['target']);
});

test('a file replaces a directory only when that is allowed', () => {
  mkdirSync(join(directory, 'name', 'below'), { recursive: true });
  expect(() => unpack(fileEntry('name', 'x'), directory, { noOverwriteDirNonDir: true })).toThrow(
    'cannot overwrite directory',
  );
  unpack(fileEntry('name', 'x'), directory);
  expect(readFileSync(join(directory, 'name'), 'utf8')).toBe('x');
});

test('a path is described with the mode bits that Go clients know', () => {
  symlinkSync('missing', join(directory, 'link'));
  writeFileSync(join(directory, 'file'), 'abc');
  chmodSync(join(directory, 'file'), 0o640);
  expect(statPath(directory).mode).toBeGreaterThanOrEqual(2 ** 31);
  expect(statPath(join(directory, 'file'))).toMatchObject({ name: 'file', size: 3, mode: 0o640, linkTarget: '' });
  expect(statPath(join(directory, 'link'))).toMatchObject({ linkTarget: join(directory, 'missing') });
});

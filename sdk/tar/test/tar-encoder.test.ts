import { expect, test } from '@jest/globals';
import { encodeTarHeader, type TarHeader, TarReader, tarPadding, tarTrailer } from '..';

const plain: TarHeader = {
  type: 'file',
  name: 'a/b',
  linkName: '',
  size: 3,
  mode: 0o4755,
  uid: 1000,
  gid: 100,
  modifiedNs: 1_700_000_000_000_000_000n,
  accessedNs: undefined,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: new Map(),
};

function readBack(archive: Buffer): { header: TarHeader; data: string }[] {
  const entries: { header: TarHeader; data: string }[] = [];
  const reader = new TarReader({
    entry: (header) => {
      entries.push({ header, data: '' });
      return true;
    },
    data: (chunk) => {
      entries.at(-1)!.data += chunk.toString();
    },
    entryEnd: () => undefined,
    raw: () => undefined,
  });
  reader.write(archive);
  return entries;
}

test.each([
  ['a plain file', {}],
  ['a name too long for ustar', { name: `${'d/'.repeat(120)}file` }],
  ['a link with a long target', { type: 'symlink', size: 0, linkName: 'x'.repeat(300) }],
  ['a device', { type: 'character', size: 0, deviceMajor: 5, deviceMinor: 1 }],
  ['parts of a second', { modifiedNs: 1_700_000_000_123_456_789n }],
  ['a time before the epoch', { modifiedNs: -1_500_000_000n }],
  ['ids too big for ustar', { uid: 4_000_000_000, gid: 3_000_000 }],
  ['extended attributes', { xattrs: new Map([['user.a', Buffer.from([0, 255, 10])]]) }],
] as [string, Partial<TarHeader>][])('what is written is read back: %s', (_what, given) => {
  const header = { ...plain, ...given };
  const payload = header.type === 'file' ? Buffer.concat([Buffer.from('abc'), tarPadding(3)]) : Buffer.alloc(0);
  const [entry] = readBack(Buffer.concat([encodeTarHeader(header), payload, tarTrailer()]));
  expect(entry?.header).toMatchObject(header);
  expect(entry?.data).toBe(header.type === 'file' ? 'abc' : '');
});

import { encodeTarHeader, type TarHandler, TarReader, tarPadding } from '../index';

const header = encodeTarHeader({
  type: 'file',
  name: 'f',
  linkName: '',
  size: 5,
  mode: 0o644,
  uid: 0,
  gid: 0,
  modifiedNs: 0n,
  deviceMajor: 0,
  deviceMinor: 0,
  xattrs: new Map(),
});

function read(archive: Buffer): string {
  let data = '';
  const handler: TarHandler = {
    entry: () => true,
    data: (chunk) => {
      data += chunk.toString();
    },
    entryEnd: () => {},
    raw: () => {},
  };
  const reader = new TarReader(handler);
  reader.write(archive);
  reader.end();
  return data;
}

test('an archive may end after its last file, without trailer and without padding', () => {
  const file = Buffer.concat([header, Buffer.from('hello')]);
  expect(read(file)).toBe('hello');
  expect(read(Buffer.concat([file, tarPadding(5)]))).toBe('hello');
});

test('an archive that ends in a file or a header is refused', () => {
  expect(() => read(Buffer.concat([header, Buffer.from('hell')]))).toThrow('unexpected EOF');
  expect(() => read(header.subarray(0, 100))).toThrow('unexpected EOF');
});

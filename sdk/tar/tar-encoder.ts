import { blockSize, type TarEntryType, type TarHeader } from './tar-header';

const flags: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

const billion = 1_000_000_000n;
const largestOctal = 0o77777777777;
const largestId = 0o7777777;

/**
 * The header blocks of one entry: ustar, with a PAX header before it for what ustar cannot say (long names, big
 * numbers, parts of seconds, extended attributes). Names are byte strings, one character per byte.
 */
export function encodeTarHeader(header: Omit<TarHeader, 'sparse' | 'accessedNs'>): Buffer {
  const name = header.type === 'directory' && !header.name.endsWith('/') ? `${header.name}/` : header.name;
  const size = header.type === 'file' ? header.size : 0;
  const records: Buffer[] = [];
  if (name.length > 100) records.push(paxRecord('path', Buffer.from(name, 'latin1')));
  if (header.linkName.length > 100) records.push(paxRecord('linkpath', Buffer.from(header.linkName, 'latin1')));
  if (size > largestOctal) records.push(paxRecord('size', Buffer.from(String(size))));
  if (header.uid > largestId) records.push(paxRecord('uid', Buffer.from(String(header.uid))));
  if (header.gid > largestId) records.push(paxRecord('gid', Buffer.from(String(header.gid))));
  const seconds = floorDivide(header.modifiedNs);
  const fraction = header.modifiedNs - seconds * billion;
  if (fraction !== 0n || seconds < 0n) records.push(paxRecord('mtime', Buffer.from(paxTime(seconds, fraction))));
  for (const [key, value] of header.xattrs) records.push(paxRecord(`SCHILY.xattr.${key}`, value));

  const main = block({
    ...header,
    name: name.slice(0, 100),
    linkName: header.linkName.slice(0, 100),
    size: Math.min(size, largestOctal),
    uid: Math.min(header.uid, largestId),
    gid: Math.min(header.gid, largestId),
    flag: flags[header.type],
    seconds: seconds < 0n ? 0n : seconds,
  });
  if (records.length === 0) return main;
  const body = Buffer.concat(records);
  const extension = block({
    name: 'PaxHeaders.0/entry',
    linkName: '',
    size: body.length,
    mode: 0o644,
    uid: 0,
    gid: 0,
    deviceMajor: 0,
    deviceMinor: 0,
    flag: 'x',
    seconds: 0n,
  });
  return Buffer.concat([extension, body, tarPadding(body.length), main]);
}

/** Zeroes up to the next block. */
export const tarPadding = (size: number): Buffer => Buffer.alloc((blockSize - (size % blockSize)) % blockSize);

/** What ends an archive. */
export const tarTrailer = (): Buffer => Buffer.alloc(2 * blockSize);

interface Fields {
  readonly name: string;
  readonly linkName: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly flag: string;
  readonly seconds: bigint;
}

function block(fields: Fields): Buffer {
  const out = Buffer.alloc(blockSize);
  const octal = (value: number | bigint, at: number, length: number) => {
    out.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  };
  out.write(fields.name, 0, 100, 'latin1');
  octal(fields.mode & 0o7777, 100, 8);
  octal(fields.uid, 108, 8);
  octal(fields.gid, 116, 8);
  octal(fields.size, 124, 12);
  octal(fields.seconds, 136, 12);
  out.write(fields.flag, 156, 'latin1');
  out.write(fields.linkName, 157, 100, 'latin1');
  out.write('ustar\x0000', 257, 'latin1');
  octal(fields.deviceMajor, 329, 8);
  octal(fields.deviceMinor, 337, 8);
  // The checksum counts its own field as blanks.
  out.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of out) sum += byte;
  out.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return out;
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function paxTime(seconds: bigint, fraction: bigint): string {
  if (fraction === 0n) return String(seconds);
  // Below zero the digits count downwards from the next second.
  const [whole, part] = seconds < 0n ? [seconds + 1n, billion - fraction] : [seconds, fraction];
  const sign = seconds < 0n && whole === 0n ? '-' : '';
  return `${sign}${whole}.${String(part).padStart(9, '0').replace(/0+$/, '')}`;
}

const floorDivide = (ns: bigint): bigint => (ns >= 0n ? ns / billion : -((-ns + billion - 1n) / billion));

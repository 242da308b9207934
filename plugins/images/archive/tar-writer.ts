import { EngineError } from '@gantry/sdk';

const blockSize = 512;

/** A ustar header for a plain file (or, with a trailing slash, a directory) owned by root. */
export function tarHeader(name: string, size: number, modified: Date): Buffer {
  const header = Buffer.alloc(blockSize);
  if (Buffer.byteLength(name) > 100) throw new EngineError('system', `archive entry name is too long: ${name}`);
  const isDirectory = name.endsWith('/');
  header.write(name, 0, 100, 'utf8');
  octal(header, isDirectory ? 0o755 : 0o644, 100, 8);
  octal(header, 0, 108, 8);
  octal(header, 0, 116, 8);
  number(header, size, 124);
  number(header, Math.max(0, Math.floor(modified.getTime() / 1000)), 136);
  header.write('        ', 148, 8, 'latin1');
  header.write(isDirectory ? '5' : '0', 156, 1, 'latin1');
  header.write('ustar\0', 257, 6, 'latin1');
  header.write('00', 263, 2, 'latin1');
  octal(header, 0, 329, 8);
  octal(header, 0, 337, 8);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return header;
}

/** Zero bytes that fill the last block of a payload. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((blockSize - (size % blockSize)) % blockSize);
}

/** Two zero blocks. */
export const tarEnd = (): Buffer => Buffer.alloc(2 * blockSize);

function octal(header: Buffer, value: number, offset: number, length: number): void {
  header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, length, 'latin1');
}

/** Twelve bytes; base-256 where octal digits do not suffice. */
function number(header: Buffer, value: number, offset: number): void {
  if (value < 8 ** 11) {
    octal(header, value, offset, 12);
    return;
  }
  header[offset] = 0x80;
  header.writeBigUInt64BE(BigInt(value), offset + 4);
}

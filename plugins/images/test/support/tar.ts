/** An entry of a test archive; names and link targets may hold anything. */
export interface Entry {
  readonly name: string;
  /** ustar type flag; `0` file, `1` hard link, `2` symbolic link, `3` character device, `5` directory. */
  readonly flag?: string;
  readonly data?: string | Buffer;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
}

/** A ustar archive, ended by two zero blocks unless told otherwise. */
export function tarOf(entries: readonly Entry[], end = true): Buffer {
  const parts = entries.flatMap((entry) => {
    const data = Buffer.from(entry.data ?? '');
    return [header(entry, data.length), data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return Buffer.concat(end ? [...parts, Buffer.alloc(1024)] : parts);
}

function header(entry: Entry, size: number): Buffer {
  const block = Buffer.alloc(512);
  const flag = entry.flag ?? (entry.name.endsWith('/') ? '5' : '0');
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  block.write(entry.name, 0, 100, 'latin1');
  octal(entry.mode ?? (flag === '5' ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(entry.mtime ?? 1_600_000_000, 136, 12);
  block.write('        ', 148, 'latin1');
  block.write(flag, 156, 'latin1');
  block.write(entry.link ?? '', 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(entry.major ?? 0, 329, 8);
  octal(entry.minor ?? 0, 337, 8);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

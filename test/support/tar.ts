/** An entry of a tar archive; a name that ends in "/" is a folder. */
export interface TarEntry {
  readonly name: string;
  readonly data?: Buffer | string;
  /** Target of a symbolic link. */
  readonly link?: string;
  /** Name of an earlier entry that this is another name of. */
  readonly hardLink?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since the epoch. */
  readonly mtime?: number;
}

/** POSIX ustar, enough for test images: names up to 100 bytes. */
export function makeTar(entries: readonly TarEntry[]): Buffer {
  const blocks: Buffer[] = [];
  for (const entry of entries) {
    if (Buffer.byteLength(entry.name) > 100) throw new Error(`name too long for ustar: ${entry.name}`);
    const data = Buffer.from(entry.data ?? '');
    const folder = entry.name.endsWith('/');
    const header = Buffer.alloc(512);
    const octal = (value: number, at: number, length: number) =>
      header.write(value.toString(8).padStart(length - 1, '0'), at);
    header.write(entry.name, 0);
    octal(entry.mode ?? (folder || entry.link ? 0o755 : 0o644), 100, 8);
    octal(entry.uid ?? 0, 108, 8);
    octal(entry.gid ?? 0, 116, 8);
    octal(data.length, 124, 12);
    octal(entry.mtime ?? 1_600_000_000, 136, 12);
    header.write('        ', 148);
    header.write(folder ? '5' : entry.link ? '2' : entry.hardLink ? '1' : '0', 156);
    header.write(entry.link ?? entry.hardLink ?? '', 157);
    header.write('ustar\x0000', 257, 'latin1');
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      148,
      7,
    );
    blocks.push(header, data, Buffer.alloc((512 - (data.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

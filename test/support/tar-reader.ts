/** An entry of an archive that is read. */
export interface ReadEntry {
  readonly name: string;
  /** The type flag of the header: `0` file, `1` hard link, `2` symbolic link, `5` folder. */
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly link: string | undefined;
  readonly data: Buffer;
}

/** Entries of a ustar or PAX archive; of PAX headers only names, links and sizes are looked at. */
export function readTar(archive: Buffer): ReadEntry[] {
  const entries: ReadEntry[] = [];
  let pax: Record<string, string> = {};
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const text = (from: number, length: number) =>
      archive.toString('utf8', at + from, at + from + length).replace(/\0.*$/s, '');
    const octal = (from: number, length: number) => Number.parseInt(text(from, length).trim() || '0', 8);
    const type = text(156, 1) || '0';
    const size = pax.size === undefined ? octal(124, 12) : Number(pax.size);
    const data = archive.subarray(at + 512, at + 512 + size);
    const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
    const [mode, uid, gid] = [octal(100, 8) & 0o7777, octal(108, 8), octal(116, 8)];
    const linkName = text(157, 100);
    const plain = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
    at += 512 + Math.ceil(size / 512) * 512;
    if (type === 'x') {
      pax = Object.fromEntries(
        [...data.toString().matchAll(/\d+ ([^=]+)=([^\n]*)\n/g)].map(([, key, value]) => [key, value]),
      );
      continue;
    }
    if (type === 'g') continue;
    const link = pax.linkpath ?? linkName;
    entries.push({
      name: pax.path ?? plain,
      type,
      mode,
      uid,
      gid,
      link: link === '' ? undefined : link,
      data,
    });
    pax = {};
  }
  return entries;
}

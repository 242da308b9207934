/** Option word → flag bits to set, or to clear. @see mount(8), mount(2) */
const words: Readonly<Record<string, { readonly clear?: boolean; readonly flags: number }>> = {
  defaults: { flags: 0 },
  ro: { flags: 1 },
  rw: { clear: true, flags: 1 },
  nosuid: { flags: 2 },
  suid: { clear: true, flags: 2 },
  nodev: { flags: 4 },
  dev: { clear: true, flags: 4 },
  noexec: { flags: 8 },
  exec: { clear: true, flags: 8 },
  sync: { flags: 16 },
  async: { clear: true, flags: 16 },
  remount: { flags: 32 },
  mand: { flags: 64 },
  nomand: { clear: true, flags: 64 },
  dirsync: { flags: 128 },
  noatime: { flags: 1024 },
  atime: { clear: true, flags: 1024 },
  nodiratime: { flags: 2048 },
  diratime: { clear: true, flags: 2048 },
  bind: { flags: 4096 },
  rbind: { flags: 4096 | 16384 },
  unbindable: { flags: 1 << 17 },
  runbindable: { flags: (1 << 17) | 16384 },
  private: { flags: 1 << 18 },
  rprivate: { flags: (1 << 18) | 16384 },
  slave: { flags: 1 << 19 },
  rslave: { flags: (1 << 19) | 16384 },
  shared: { flags: 1 << 20 },
  rshared: { flags: (1 << 20) | 16384 },
  relatime: { flags: 1 << 21 },
  norelatime: { clear: true, flags: 1 << 21 },
  strictatime: { flags: 1 << 24 },
  nostrictatime: { clear: true, flags: 1 << 24 },
};

export const propagationFlags = (1 << 17) | (1 << 18) | (1 << 19) | (1 << 20);

/** Splits `ro,noatime,size=10m` into flag bits and what the file system itself is told. */
export function parseMountOptions(options: string): { flags: number; data: string } {
  let flags = 0;
  const data: string[] = [];
  for (const option of options.split(',')) {
    const word = Object.hasOwn(words, option) ? words[option] : undefined;
    if (word === undefined) {
      if (option !== '') data.push(option);
    } else if (word.clear) flags &= ~word.flags;
    else flags |= word.flags;
  }
  return { flags, data: data.join(',') };
}

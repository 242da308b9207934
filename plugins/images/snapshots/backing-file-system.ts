import { statfs } from 'node:fs/promises';

const magicNumbers: Readonly<Record<number, string>> = {
  61267: 'extfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
  801189825: 'zfs',
  4076150800: 'f2fs',
  2240043254: 'ramfs',
};

const known = new Map<string, string>();

/** The name dockerd gives to the kind of file system that holds `path`, which stays what it is. */
export async function backingFileSystem(path: string): Promise<string> {
  const before = known.get(path);
  if (before !== undefined) return before;
  const { type } = await statfs(path);
  const name = magicNumbers[type] ?? '<unknown>';
  known.set(path, name);
  return name;
}

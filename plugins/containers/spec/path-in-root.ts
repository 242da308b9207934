import { lstat, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';

const MAX_LINKS = 255;

/**
 * The host path of a path inside a root directory, with every symbolic link followed as a process chrooted there
 * would see it: nothing leads out. The last parts need not exist.
 *
 * @param options.followLast false = a link at the end is given back as it is
 */
export async function pathInRoot(root: string, path: string, options: { followLast?: boolean } = {}): Promise<string> {
  const pending = path.split('/').filter((part) => part !== '' && part !== '.');
  let resolved = '/';
  let links = 0;
  while (pending.length > 0) {
    const part = pending.shift() as string;
    if (part === '..') {
      resolved = posix.dirname(resolved);
      continue;
    }
    const candidate = posix.join(resolved, part);
    const isLast = pending.length === 0;
    const target = isLast && options.followLast === false ? undefined : await linkTarget(join(root, candidate));
    if (target === undefined) {
      resolved = candidate;
      continue;
    }
    if (++links > MAX_LINKS) throw Object.assign(new Error(`ELOOP: too many links in ${path}`), { code: 'ELOOP' });
    if (target.startsWith('/')) resolved = '/';
    pending.unshift(...target.split('/').filter((piece) => piece !== '' && piece !== '.'));
  }
  return join(root, resolved);
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Look, missing, ok, warn } from './finding';
import type { Machine } from './machine';

const gib = 1024 ** 3;
const littleSpaceBytes = 2 * gib;

/** Magic numbers of file systems, and what they mean below the data root. @see statfs(2) */
const fileSystems: Readonly<Record<string, { readonly name: string; readonly trouble?: string }>> = {
  ef53: { name: 'ext4' },
  '58465342': { name: 'xfs' },
  '9123683e': { name: 'btrfs' },
  f2f52010: { name: 'f2fs' },
  '2fc12fc1': { name: 'zfs', trouble: 'overlayfs needs OpenZFS 2.2 or newer' },
  '794c7630': { name: 'overlay', trouble: 'overlayfs cannot lie on overlayfs: give the data root a volume of its own' },
  '6969': { name: 'nfs', trouble: 'overlayfs cannot write to NFS: choose a local disk' },
  '65735546': { name: 'fuse', trouble: 'overlayfs needs a local file system: choose a local disk' },
};
/** Nothing there outlives the machine. */
const tmpfs = '1021994';

export interface Places {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** A file of dockerd's when the data root is its, and not ours. */
  readonly foreignMark: string | undefined;
}

export async function lookAtStorage(machine: Machine, { dataRoot, execRoot, foreignMark }: Places): Promise<Look[]> {
  const looks: Look[] = [];
  const name = 'data root';
  if (foreignMark !== undefined)
    looks.push(missing(name, `${dataRoot} holds the state of dockerd (${foreignMark})`, 'choose another --data-root'));
  else looks.push(ok(name, (await machine.exists(dataRoot)) ? dataRoot : `${dataRoot}, made at the first start`));
  const facts = await factsOf(await nearest(machine, dataRoot));
  if (facts === undefined) {
    looks.push(warn('file system', 'cannot be looked at', `see whether ${dataRoot} can be reached`));
    return looks;
  }
  const kind = fileSystems[facts.type];
  const shown = kind?.name ?? (facts.type === tmpfs ? 'tmpfs' : `type 0x${facts.type}`);
  if (facts.type === tmpfs)
    looks.push(warn('file system', shown, 'a reboot empties it: choose a disk with --data-root'));
  else if (kind?.trouble === undefined) looks.push(ok('file system', shown));
  else looks.push((kind.name === 'zfs' ? warn : missing)('file system', shown, kind.trouble));
  const free = `${(facts.freeBytes / gib).toFixed(1)} GiB`;
  const files = facts.files > 0 ? `, ${facts.freeFiles} files` : '';
  const isLittle = facts.freeBytes < littleSpaceBytes || (facts.files > 0 && facts.freeFiles < 100_000);
  looks.push(
    isLittle
      ? warn('free space', free + files, 'make room: docker system prune, or a larger disk')
      : ok('free space', free + files),
  );
  if (machine.uid === 0 && (await isReadOnly(machine, dataRoot)))
    looks.push(missing('writable', `${dataRoot} is on a read-only mount`, 'choose another --data-root'));
  looks.push(ok('exec root', execRoot));
  return looks;
}

async function nearest(machine: Machine, path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) if (at === '/' || (await machine.exists(at))) return at;
}

async function factsOf(path: string) {
  try {
    const { type, bsize, bavail, files, ffree } = await statfs(path);
    return { type: (type >>> 0).toString(16), freeBytes: bavail * bsize, files, freeFiles: ffree };
  } catch {
    return undefined;
  }
}

async function isReadOnly(machine: Machine, path: string): Promise<boolean> {
  const mounts = ((await machine.read('/proc/mounts')) ?? '').split('\n').flatMap((line) => {
    const [, target, , options] = line.split(' ');
    return target === undefined || options === undefined ? [] : [{ target, options }];
  });
  const above = mounts.filter(({ target }) => join(path, '/').startsWith(join(target, '/')));
  const closest = above.sort((a, b) => a.target.length - b.target.length).at(-1);
  return /^ro(,|$)/.test(closest?.options ?? '');
}

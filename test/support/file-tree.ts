import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { getXattr, listXattrs } from '@gantry/sdk/linux/xattr';

/**
 * One line for each path below a folder with everything a file can have but its content: type, mode, owner, size, device,
 * times, link target, names it shares, extended attributes.
 *
 * @param skip paths not looked at, such as what the engine itself puts into every container
 */
export function describeTree(root: string, skip: readonly string[] = []): string[] {
  const lines: string[] = [];
  const firstNames = new Map<string, string>();
  const visit = (path: string) => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const child = path === '' ? name : `${path}/${name}`;
      if (skip.includes(child)) continue;
      const full = join(root, child);
      const info = lstatSync(full, { bigint: true });
      const key = `${info.dev}:${info.ino}`;
      const first = firstNames.get(key) ?? child;
      if (info.nlink > 1n && !info.isDirectory()) firstNames.set(key, first);
      lines.push(`${child} ${describe(full, info)}${first === child ? '' : ` same as ${first}`}`);
      if (info.isDirectory()) visit(child);
    }
  };
  visit('');
  return lines;
}

function describe(path: string, info: BigIntStats): string {
  const size = info.isDirectory() ? 0n : info.size;
  const target = info.isSymbolicLink() ? ` -> ${readlinkSync(path)}` : '';
  const attributes = listXattrs(path)
    .filter((name) => !name.startsWith('trusted.overlay.'))
    .sort()
    .map((name) => ` ${name}=${getXattr(path, name)?.toString('hex')}`);
  const fields = [info.mode.toString(8), info.uid, info.gid, size, info.rdev, info.mtimeNs];
  return `${fields.join(' ')}${target}${attributes.join('')}`;
}

import { readFileSync } from 'node:fs';
import { invalidParameter } from '@gantry/sdk';
import { resolvePath } from '../context/source-tree';
import { forFs } from './byte-path';
import type { DirectoryTree } from './directory-tree';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The numbers a `--chown` means. Names are looked up in the image; a user without a group gives the group of that
 * user, or of the same number.
 *
 * @param ignoresUnknown root instead of names the image does not have, as BuildKit does
 * @throws invalid-parameter  the image has no such user or group
 */
export function resolveOwner(text: string, tree: DirectoryTree, ignoresUnknown: boolean): Owner {
  const [user = '', group] = text.split(':', 2);
  const fail = (what: string, name: string) =>
    invalidParameter(
      `unable to convert uid/gid chown string to host mapping: can't find ${what} for ${what === 'uid' ? 'user' : 'group'} ${name}: no such ${what === 'uid' ? 'user' : 'group'}: ${name}`,
    );
  const number = (name: string) => (/^\d{1,10}$/.test(name) ? Number(name) : undefined);
  const account = number(user) === undefined ? rows(tree, 'etc/passwd').find(([name]) => name === user) : undefined;
  const unknown = ignoresUnknown ? 0 : Number.NaN;
  const uid = number(user) ?? (user === '' ? 0 : Number(account?.[2] ?? unknown));
  if (Number.isNaN(uid)) throw fail('uid', user);
  if (group === undefined || group === '') return { uid, gid: account === undefined ? uid : Number(account[3]) };
  const gid = number(group) ?? Number(rows(tree, 'etc/group').find(([name]) => name === group)?.[2] ?? unknown);
  if (Number.isNaN(gid)) throw fail('gid', group);
  return { uid, gid };
}

function rows(tree: DirectoryTree, path: string): string[][] {
  const found = resolvePath(tree, path);
  if (found === undefined || tree.find(found)?.type !== 'file') return [];
  const text = readFileSync(forFs(tree.full(found)), 'utf8');
  return text.split('\n').map((line) => line.split(':'));
}

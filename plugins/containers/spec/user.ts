import { invalidParameter } from '@gantry/sdk';

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
}

const MAX_ID = 2 ** 31 - 1;

/**
 * `user`, `uid`, `user:group`, `uid:gid` against the image's files, as initgroups(3) would.
 *
 * @param passwd   content of /etc/passwd; empty when the image has none
 * @param groupAdd further groups by name or number
 * @throws invalid-parameter  a name is not in the files, or an id is out of range
 */
export function resolveUser(
  spec: string,
  files: { readonly passwd: string; readonly group: string },
  groupAdd: readonly string[] = [],
): ResolvedUser {
  const [userSpec = '', groupSpec = ''] = spec.split(':');
  const users = rows(files.passwd);
  const groups = rows(files.group);

  const wanted = userSpec === '' ? '0' : userSpec;
  const number = parseId(wanted);
  const found = users.find(([name, , uid]) => name === wanted || (number !== undefined && Number(uid) === number));
  if (found === undefined && number === undefined)
    throw invalidParameter(`unable to find user ${userSpec}: no matching entries in passwd file`);
  const uid = found ? Number(found[2]) : (number ?? 0);
  checkRange(uid);
  const userName = found?.[0];

  let gid = found ? Number(found[3]) || 0 : 0;
  const additional = new Set<number>();
  if (groupSpec !== '') gid = findGroup(groupSpec, groups);
  else if (userName !== undefined)
    for (const [, , id, members = ''] of groups) if (members.split(',').includes(userName)) additional.add(Number(id));
  for (const name of groupAdd) additional.add(findGroup(name, groups));
  return { uid, gid, additionalGids: [gid, ...[...additional].filter((id) => id !== gid)] };
}

/** The home directory of a user id, or undefined. */
export function homeDirectory(uid: number, passwd: string): string | undefined {
  return rows(passwd).find((row) => Number(row[2]) === uid)?.[5] || undefined;
}

function findGroup(wanted: string, groups: readonly string[][]): number {
  const number = parseId(wanted);
  const found = groups.find(([name, , gid]) => name === wanted || (number !== undefined && Number(gid) === number));
  if (found) return Number(found[2]);
  if (number === undefined) throw invalidParameter(`unable to find group ${wanted}: no matching entries in group file`);
  checkRange(number);
  return number;
}

function checkRange(id: number): void {
  if (id < 0 || id > MAX_ID) throw invalidParameter(`uids and gids must be in range 0-${MAX_ID}`);
}

const parseId = (text: string): number | undefined => (/^-?\d+$/.test(text) ? Number(text) : undefined);

const rows = (content: string): string[][] =>
  content
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => line.trim().split(':'));

import { type BigIntStats, constants, lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { posix } from 'node:path';
import { formatTimeNs } from '@gantry/sdk/lifecycle';

/** What clients learn of a path before its archive. @see Engine API, X-Docker-Container-Path-Stat */
export interface PathStat {
  readonly name: string;
  readonly size: number;
  /** Bits as Go's os.FileMode has them. */
  readonly mode: number;
  /** RFC 3339. */
  readonly mtime: string;
  readonly linkTarget: string;
}

/** Kernel file type → Go's bits. */
const goType: ReadonlyMap<number, number> = new Map([
  [constants.S_IFDIR, 2 ** 31],
  [constants.S_IFLNK, 2 ** 27],
  [constants.S_IFBLK, 2 ** 26],
  [constants.S_IFCHR, 2 ** 26 + 2 ** 21],
  [constants.S_IFIFO, 2 ** 25],
  [constants.S_IFSOCK, 2 ** 24],
]);

/**
 * @param path absolute path as this process sees it; a link at its end is described itself, unless the path ends
 *             with a slash
 */
export function statPath(path: string): PathStat {
  const info = lstatSync(path, { bigint: true });
  return describe(path, info, info.isSymbolicLink() ? linkTarget(path) : '');
}

/** @param path as the container sees it */
export function describe(path: string, info: BigIntStats, linkTarget: string): PathStat {
  const mode = Number(info.mode);
  const special = (mode & 0o4000 ? 2 ** 23 : 0) + (mode & 0o2000 ? 2 ** 22 : 0) + (mode & 0o1000 ? 2 ** 20 : 0);
  return {
    name: posix.basename(path) || '/',
    size: Number(info.size),
    mode: (goType.get(mode & constants.S_IFMT) ?? 0) + special + (mode & 0o777),
    mtime: formatTimeNs(info.mtimeNs),
    linkTarget,
  };
}

function linkTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // It leads nowhere; where it points is still of interest.
    return posix.resolve(posix.dirname(path), readlinkSync(path));
  }
}

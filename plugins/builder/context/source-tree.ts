/** A file, directory or link of a source, as a COPY sees it. Names are byte strings: one character per byte. */
export interface SourceEntry {
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo' | 'character' | 'block';
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly modifiedNs: bigint;
  /** Target of a symbolic link. */
  readonly linkName: string;
  /** Where a file's bytes are. */
  readonly content: { readonly path: string; readonly offset: number } | undefined;
  /** Hex SHA-256 of a file's bytes, when it is known already. */
  readonly digest: string | undefined;
  readonly device: { readonly major: number; readonly minor: number } | undefined;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/** A tree to copy from: a build context, or the file system of an image. */
export interface SourceTree {
  /** @param path clean and relative; `` is the root. Links are not followed. */
  find(path: string): SourceEntry | undefined;
  /** Names in a directory, sorted. */
  list(path: string): readonly string[];
}

const maximumLinks = 255;

/**
 * The path a path leads to once links are followed, the last one included. Links cannot leave the tree: an absolute
 * one starts at its root.
 *
 * @returns a clean relative path, or undefined when it is not there or is a loop
 */
export function resolvePath(tree: SourceTree, path: string): string | undefined {
  const pending = path.split('/').reverse();
  const done: string[] = [];
  let links = 0;
  while (pending.length > 0) {
    const part = pending.pop()!;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const next = [...done, part].join('/');
    const entry = tree.find(next);
    if (entry === undefined) return undefined;
    if (entry.type !== 'symlink') {
      done.push(part);
      continue;
    }
    if (++links > maximumLinks) return undefined;
    if (entry.linkName.startsWith('/')) done.length = 0;
    pending.push(...entry.linkName.split('/').reverse());
  }
  return done.join('/');
}

import type { SourceEntry, SourceTree } from './source-tree';
import { Turns } from './turns';

const impliedDirectory: SourceEntry = {
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  modifiedNs: 0n,
  linkName: '',
  content: undefined,
  digest: undefined,
  device: undefined,
  xattrs: new Map(),
};

/** A tree of which all entries are known. Directories that nobody listed are there all the same. */
export class ListedTree implements SourceTree {
  private readonly entries = new Map<string, SourceEntry>([['', impliedDirectory]]);
  private readonly names = new Map<string, Set<string>>();

  constructor(items: Iterable<{ readonly path: string; readonly entry: SourceEntry }> = []) {
    for (const { path, entry } of items) this.set(path, entry);
  }

  find(path: string): SourceEntry | undefined {
    return this.entries.get(path);
  }

  list(path: string): readonly string[] {
    return [...(this.names.get(path) ?? [])].sort();
  }

  /** Puts an entry at a path; one that was there is replaced, with what was below it unless both are directories. */
  set(path: string, entry: SourceEntry): void {
    if (entry.type !== 'directory') for (const name of this.list(path)) this.delete(`${path}/${name}`);
    this.entries.set(path, entry);
    for (let at = path; at !== ''; ) {
      const [parent, name] = split(at);
      const names = this.names.get(parent);
      if (names === undefined) this.names.set(parent, new Set([name]));
      else names.add(name);
      if (this.entries.has(parent)) return;
      this.entries.set(parent, impliedDirectory);
      at = parent;
    }
  }

  /** Takes a path away, with what is below it. */
  delete(path: string): void {
    for (const name of this.list(path)) this.delete(`${path}/${name}`);
    this.forget(path);
  }

  /** Leaves out what `excluded` names; a file that stays keeps its directories. */
  async remove(excluded: (path: string) => boolean): Promise<void> {
    const turns = new Turns();
    // What is below a directory comes before it.
    const paths = [...this.entries.keys()].sort((a, b) => b.length - a.length);
    for (const path of paths) {
      if (turns.areDue) await turns.give();
      if (path === '' || !excluded(path)) continue;
      if ((this.names.get(path)?.size ?? 0) > 0) this.entries.set(path, impliedDirectory);
      else this.forget(path);
    }
  }

  private forget(path: string): void {
    const [parent, name] = split(path);
    this.entries.delete(path);
    this.names.delete(path);
    this.names.get(parent)?.delete(name);
  }
}

/** The directory a path is in, and its name there. */
function split(path: string): readonly [string, string] {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)];
}

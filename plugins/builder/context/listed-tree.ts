import type { SourceEntry, SourceTree } from './source-tree';

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

/** A tree of which all entries are known. */
export class ListedTree implements SourceTree {
  protected readonly entries = new Map<string, SourceEntry>([['', impliedDirectory]]);
  private children: Map<string, string[]> | undefined;

  constructor(items: readonly { readonly path: string; readonly entry: SourceEntry }[]) {
    for (const { path, entry } of items) this.entries.set(path, entry);
  }

  find(path: string): SourceEntry | undefined {
    // Archives may leave directories out.
    this.children ??= this.group();
    return this.entries.get(path);
  }

  list(path: string): readonly string[] {
    this.children ??= this.group();
    return this.children.get(path) ?? [];
  }

  /** Leaves out what `excluded` names. */
  remove(excluded: (path: string) => boolean): void {
    this.children = undefined;
    for (const path of [...this.entries.keys()]) if (path !== '' && excluded(path)) this.entries.delete(path);
    // A file that stays keeps its directories.
    for (const path of [...this.entries.keys()]) this.imply(path);
  }

  private imply(path: string): void {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (this.entries.has(parent)) return;
      this.entries.set(parent, impliedDirectory);
    }
  }

  private group(): Map<string, string[]> {
    for (const path of [...this.entries.keys()]) this.imply(path);
    const children = new Map<string, string[]>();
    for (const path of this.entries.keys()) {
      if (path === '') continue;
      const slash = path.lastIndexOf('/');
      const parent = slash < 0 ? '' : path.slice(0, slash);
      const names = children.get(parent);
      if (names === undefined) children.set(parent, [path.slice(slash + 1)]);
      else names.push(path.slice(slash + 1));
    }
    for (const names of children.values()) names.sort();
    return children;
  }
}

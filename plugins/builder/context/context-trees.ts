import type { SourceTree } from './source-tree';

/** What stands behind a name the client gave: an image, or files. */
export type NamedContext =
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'tree'; tree(): Promise<SourceTree> };

/** Where a build takes files from. */
export interface ContextTrees {
  /**
   * The build's own context.
   *
   * @param paths that are wanted of it, as the Dockerfile has them; others may be missing
   * @returns undefined when the build has none
   */
  own(paths: readonly string[]): Promise<SourceTree | undefined>;
  /** @param name as a FROM or a `--from` says it */
  named(name: string): NamedContext | undefined;
}

/** A context that is here whole. */
export const onlyTree = (tree: SourceTree | undefined): ContextTrees => ({
  own: async () => tree,
  named: () => undefined,
});

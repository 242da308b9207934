import { createHash } from 'node:crypto';
import type { SourceTree } from '../context/source-tree';
import { digestOf, findSources } from '../copy/select-files';
import { type Build, copyAll } from './build';

const wholeTree = {
  instruction: 'COPY',
  sources: ['.'],
  excludes: [],
  parents: false,
  fromContext: true,
} as const;

/** Makes an image that has the files of a context and nothing else: for a FROM that names one. @returns its id */
export async function imageOfTree(
  build: Build,
  tree: SourceTree,
  platform: string,
  signal: AbortSignal,
): Promise<string> {
  const sources = await findSources(tree, wholeTree);
  const text = JSON.stringify([platform, await digestOf(sources), 'tree']);
  const key = createHash('sha256').update(text).digest('hex');
  const state = { imageId: undefined, config: {}, author: '', platform };
  const createdBy = 'COPY . / # buildkit';
  const known = await build.lookUp(key, createdBy, state, signal);
  if (known !== undefined) return known;
  let made: string | undefined;
  await build.withRootFilesystem(undefined, async (id, root) => {
    await build.builder.files.copy({ ...copyAll, root, sources });
    made = await build.commit({ state, createdBy, key, containerId: id, consume: true, signal });
  });
  return made!;
}

import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { invalidParameter } from '@gantry/sdk';
import { downloadSource, isGitSource, isUrl } from '../context/remote-source';
import { toBytes } from '../copy/byte-path';
import type { CopyJob } from '../copy/copy-files';
import { type CopySource, findSources, labelOf } from '../copy/select-files';
import { expandText, expandWord } from '../dockerfile/expand';
import { heredocText } from '../dockerfile/heredoc';
import type { InstructionOf } from '../dockerfile/instructions';
import { type Step, stepKey, takeCached } from './stage-runner';
import { variablesOf } from './stage-state';

type Transfer = InstructionOf<'add'> | InstructionOf<'copy'>;

/** Copies files into the image, as COPY and ADD do. */
export async function transferStep(instruction: Transfer, step: Step): Promise<void> {
  const { build, state, signal } = step;
  const name = instruction.kind === 'add' ? 'ADD' : 'COPY';
  const expand = (word: string) => expandWord(word, variablesOf(state), build.dockerfile.escape);
  const wanted = expand(instruction.destination);
  const destination = absolute(wanted, state.config.WorkingDir ?? '/');
  const chown = instruction.chown === undefined ? undefined : expand(instruction.chown);
  const chmod = instruction.chmod === undefined ? undefined : expand(instruction.chmod);
  const sources = instruction.sources.map(expand);
  const excludes = instruction.excludes.map(expand);
  const checksum =
    instruction.kind === 'add' && instruction.checksum !== undefined ? { checksum: expand(instruction.checksum) } : {};
  const gathered = await gather({ ...instruction, excludes, ...checksum }, name, sources, destination, step);
  try {
    const inline = instruction.inline.map(({ name: document }) => `<<${document}`);
    const words = {
      name,
      chown,
      chmod,
      label: gathered.label,
      sources: [...sources, ...inline],
      destination: wanted,
    } as const;
    const createdBy = build.request.dialect.transfer(words, state);
    const parents = instruction.kind === 'copy' && instruction.parents;
    const unpack = instruction.kind === 'copy' ? 'none' : unpacking(instruction.unpack);
    const fromStage = instruction.kind === 'copy' && instruction.from !== undefined;
    const key = stepKey(step, [name, gathered.label, destination, chown ?? null, chmod ?? null, parents, unpack]);
    if (await takeCached(key, createdBy, step)) return;
    const files = await gathered.open();
    await build.withRootFilesystem(state.imageId, async (id, root) => {
      const owner = fromStage ? undefined : { uid: 0, gid: 0 };
      await build.builder.files.copy({
        instruction: name,
        root,
        destination,
        sources: files,
        chown,
        owner,
        chmod,
        unpack,
        parents,
        lenient: build.request.dialect.isLenient,
      });
      signal.throwIfAborted();
      state.imageId = await build.commit({ state, createdBy, key, containerId: id, consume: true, signal });
    });
  } finally {
    await gathered.close();
  }
}

interface Gathered {
  /** What the history says of the files, with their digest. */
  readonly label: string;
  open(): Promise<CopyJob['sources']>;
  close(): Promise<void>;
}

async function gather(
  instruction: Transfer,
  name: 'ADD' | 'COPY',
  sources: readonly string[],
  destination: string,
  step: Step,
): Promise<Gathered> {
  const { build } = step;
  const excludes = instruction.excludes;
  const parents = instruction.kind === 'copy' && instruction.parents;
  const { isLenient } = build.request.dialect;
  const request = { instruction: name, sources, excludes, parents, fromContext: !isLenient } as const;
  if (instruction.kind === 'copy' && instruction.from !== undefined) {
    if (instruction.inline.length > 0) throw invalidParameter('COPY --from cannot be used with a here-document');
    const named = build.trees.named(instruction.from);
    if (named?.kind !== 'tree')
      return build.selectFromImage(instruction.from, { ...request, fromContext: false }, step);
    const selected = await findSources(await named.tree(), request);
    return { label: await labelOf(selected), open: async () => selected, close: async () => {} };
  }
  const local = sources.filter((source) => name === 'COPY' || !(isUrl(source) || isGitSource(source)));
  const found: CopySource[] = [];
  if (name === 'COPY' && sources.some(isUrl))
    throw invalidParameter(`${isLenient ? '' : 'COPY failed: '}source can't be a URL for COPY`);
  for (const source of sources) {
    if (!local.includes(source)) {
      if (instruction.kind !== 'add') continue;
      found.push(await downloadSource(source, destination, instruction, step));
      continue;
    }
    const tree = await build.trees.own([source]);
    if (tree === undefined) throw invalidParameter(`${name} failed: missing build context`);
    found.push(...(await findSources(tree, { ...request, sources: [source] })));
  }
  if (instruction.kind === 'add' && instruction.checksum !== undefined && local.length > 0)
    throw invalidParameter('checksum can only be specified for HTTP(S) and git sources');
  for (const heredoc of instruction.inline) {
    const text = heredocText(heredoc);
    const variables = variablesOf(step.state);
    const content = heredoc.expand ? expandText(text, variables, build.dockerfile.escape) : text;
    found.push(await inlineSource(heredoc.name, content, step));
  }
  if (found.length === 0) throw invalidParameter(`${name} failed: no source files were specified`);
  if (found.length > 1 && !destination.endsWith('/') && !isLenient)
    throw invalidParameter(
      `When using ${name} with more than one source file, the destination must be a directory and end with a /`,
    );
  return {
    label: await labelOf(found),
    open: async () => found,
    close: async () => {},
  };
}

async function inlineSource(name: string, content: string, { build }: Step): Promise<CopySource> {
  const bytes = Buffer.from(content, 'utf8');
  const path = join(build.folder, `inline-${build.nextNumber()}`);
  await writeFile(path, bytes);
  return {
    name: toBytes(name),
    isDirectory: false,
    isDownload: true,
    items: [
      {
        path: '',
        entry: {
          type: 'file',
          mode: 0o644,
          uid: 0,
          gid: 0,
          size: bytes.length,
          modifiedNs: BigInt(build.startedAt.getTime()) * 1_000_000n,
          linkName: '',
          content: { path: toBytes(path), offset: 0 },
          digest: createHash('sha256').update(bytes).digest('hex'),
          device: undefined,
          xattrs: new Map(),
        },
      },
    ],
  };
}

const unpacking = (asked: boolean | undefined) =>
  asked === undefined ? ('context' as const) : asked ? ('all' as const) : ('none' as const);

function absolute(destination: string, workingDirectory: string): string {
  const isDirectory = destination === '' || /(^|\/)\.?$/.test(destination);
  const path = posix.resolve('/', workingDirectory, destination);
  return isDirectory && path !== '/' ? `${path}/` : path;
}

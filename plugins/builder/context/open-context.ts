import { createReadStream, createWriteStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorMessage, invalidParameter, systemError } from '@gantry/sdk';
import { forFs, toBytes } from '../copy/byte-path';
import type { FileWorkers } from '../copy/file-workers';
import { isArchive } from '../copy/unpack-archive';
import { decompress, sniffCompression } from './decompress';
import { checkOut, isGitUrl, parseGitUrl } from './git-checkout';
import { download } from './http-download';
import { IgnorePatterns } from './ignore-patterns';
import { ListedTree } from './listed-tree';
import { resolvePath, type SourceEntry, type SourceTree } from './source-tree';
import { TarTree } from './tar-tree';

/** What a build is made from. */
export interface BuildContext {
  /** Text of the Dockerfile. */
  readonly dockerfile: string;
  /** As messages name it. */
  readonly dockerfileName: string;
  /** Undefined when the client gave a Dockerfile and nothing else. */
  readonly tree: SourceTree | undefined;
}

export interface ContextRequest {
  readonly remote: string;
  /** Empty = `Dockerfile`. */
  readonly dockerfile: string;
  readonly body: Readable;
}

const defaultName = 'Dockerfile';

/**
 * Takes in the context of a build.
 *
 * @param folder of the build; what is written there stays until the build ends
 * @throws system             it is not an archive, ends early, or has no Dockerfile
 * @throws invalid-parameter  the Dockerfile is empty, or its path leads out of the context
 */
export async function openContext(
  { remote, dockerfile, body }: ContextRequest,
  folder: string,
  files: FileWorkers,
  signal: AbortSignal,
): Promise<BuildContext> {
  const path = dockerfile === '' ? defaultName : dockerfile;
  if (remote === '') return fromTree(await spool(body, folder, signal), path);
  body.resume();
  if (isGitUrl(remote)) return fromTree(await gitTree(remote, path, folder, files, signal), path);
  if (!/^https?:\/\//.test(remote))
    throw invalidParameter(
      `remoteURL (${remote}) could not be recognized as URL: use http://, https:// or a git address`,
    );
  const file = join(folder, 'remote');
  const { contentType } = await download(remote, file, () => {}, signal);
  // As dockerd tells them apart: plain text is a Dockerfile, anything else an archive.
  if (contentType === 'text/plain') return { ...named(await readFile(file, 'utf8'), defaultName), tree: undefined };
  const tree = await spool(createReadStream(file), folder, signal);
  await ignore(tree, path);
  return fromTree(tree, path);
}

/**
 * Takes in a context without looking for a Dockerfile.
 *
 * @throws system, invalid-parameter  as `openContext`
 */
export async function openRemoteTree(
  { remote, dockerfile, body }: ContextRequest,
  folder: string,
  files: FileWorkers,
  signal: AbortSignal,
): Promise<ListedTree> {
  if (remote === '') return spool(body, folder, signal);
  if (isGitUrl(remote)) return gitTree(remote, dockerfile, folder, files, signal);
  const file = join(folder, 'remote');
  await download(remote, file, () => {}, signal);
  const entry = await downloadedFile(file);
  // What is no archive is a Dockerfile, whatever the server calls it.
  if (!(await isArchive(entry))) return new ListedTree([{ path: dockerfile || defaultName, entry }]);
  const tree = await spool(createReadStream(file), folder, signal);
  await ignore(tree, dockerfile);
  return tree;
}

async function downloadedFile(path: string): Promise<SourceEntry> {
  const { size } = await stat(path);
  return {
    type: 'file',
    mode: 0o600,
    uid: 0,
    gid: 0,
    size,
    modifiedNs: 0n,
    linkName: '',
    content: { path: toBytes(path), offset: 0 },
    digest: undefined,
    device: undefined,
    xattrs: new Map(),
  };
}

async function gitTree(
  remote: string,
  path: string,
  folder: string,
  files: FileWorkers,
  signal: AbortSignal,
): Promise<ListedTree> {
  const git = parseGitUrl(remote);
  const checkout = join(folder, 'git');
  await checkOut(git, checkout, { keepGitDirectory: false }, signal);
  const [selected] = await files.select(checkout, {
    instruction: 'COPY',
    sources: [git.directory === '' ? '.' : git.directory],
    excludes: [],
    parents: false,
    fromContext: true,
  });
  const tree = new ListedTree(selected!.items);
  await ignore(tree, path);
  return tree;
}

/** Writes the body down, uncompressed, and reads what is in it. */
async function spool(body: Readable, folder: string, signal: AbortSignal): Promise<TarTree> {
  const raw = join(folder, 'context');
  await pipeline(body, createWriteStream(raw, { flags: 'wx', mode: 0o600, highWaterMark: 1 << 20 }), { signal });
  const head = Buffer.alloc(6);
  const file = await open(raw, 'r');
  try {
    await file.read(head, 0, 6, 0);
  } finally {
    await file.close();
  }
  const compression = sniffCompression(head);
  if (compression === 'none') return TarTree.read(raw, signal);
  const plain = join(folder, 'context.tar');
  try {
    const source = decompress(createReadStream(raw, { highWaterMark: 1 << 18 }), compression);
    await pipeline(source, createWriteStream(plain, { flags: 'wx', mode: 0o600, highWaterMark: 1 << 20 }), { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw systemError(`Error processing tar file: ${errorMessage(error)}`, error);
  }
  return TarTree.read(plain, signal);
}

async function fromTree(tree: ListedTree, path: string): Promise<BuildContext> {
  const name = await locate(tree, path);
  const text = await readText(tree, name);
  const context = { ...named(text, path), tree };
  // The client's own ignore file has been applied by the client; it may hide these two from the build all the same.
  const ignored = await ignorePatterns(tree, path);
  for (const each of ['.dockerignore', name]) if (ignored?.excludes(each)) tree.delete(each);
  return context;
}

async function locate(tree: SourceTree, path: string): Promise<string> {
  if (posix.normalize(path).split('/')[0] === '..')
    throw invalidParameter(`forbidden path outside the build context: ${path} ()`);
  const candidates = path === defaultName ? [path, 'dockerfile'] : [path];
  for (const candidate of candidates) {
    const found = resolvePath(tree, toBytes(posix.join('/', candidate).slice(1)));
    if (found !== undefined && tree.find(found)?.type === 'file') return found;
  }
  throw systemError(`Cannot locate specified Dockerfile: ${path}`);
}

function named(text: string, name: string): { dockerfile: string; dockerfileName: string } {
  if (text.length === 0) throw invalidParameter(`the Dockerfile (${name}) cannot be empty`);
  return { dockerfile: text, dockerfileName: name };
}

/** Leaves out what the context's own ignore file names: nobody has done it before for a context from elsewhere. */
async function ignore(tree: ListedTree, dockerfile: string): Promise<void> {
  const patterns = await ignorePatterns(tree, dockerfile);
  if (patterns === undefined) return;
  // Both are needed to go on.
  const kept = new Set(['.dockerignore', posix.join('/', dockerfile).slice(1)]);
  await tree.remove((path) => !kept.has(path) && patterns.excludes(path));
}

/** That of the Dockerfile, or the common one. */
async function ignorePatterns(tree: SourceTree, dockerfile: string): Promise<IgnorePatterns | undefined> {
  for (const path of [`${posix.join('/', dockerfile).slice(1)}.dockerignore`, '.dockerignore'])
    if (tree.find(toBytes(path))?.type === 'file') return IgnorePatterns.parse(await readText(tree, toBytes(path)));
  return undefined;
}

async function readText(tree: SourceTree, path: string): Promise<string> {
  const { content, size } = tree.find(path)!;
  const file = await open(forFs(content!.path), 'r');
  try {
    const bytes = Buffer.alloc(size);
    await file.read(bytes, 0, size, content!.offset);
    return bytes.toString('utf8');
  } finally {
    await file.close();
  }
}

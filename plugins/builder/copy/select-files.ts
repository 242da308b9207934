import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { invalidParameter } from '@gantry/sdk';
import { globExpression, hasWildcards } from '../context/glob';
import { IgnorePatterns } from '../context/ignore-patterns';
import { resolvePath, type SourceEntry, type SourceTree } from '../context/source-tree';
import { forFs, toBytes, toText } from './byte-path';

/** What a COPY or ADD names. Paths and patterns as in the Dockerfile, variables replaced. */
export interface SelectRequest {
  readonly instruction: 'ADD' | 'COPY';
  readonly sources: readonly string[];
  readonly excludes: readonly string[];
  /** Keep the directories above a source. */
  readonly parents: boolean;
  /** The build's own context, rather than a stage or an image. */
  readonly fromContext: boolean;
}

export interface CopyItem {
  /** Relative to the source; `` is the source itself. */
  readonly path: string;
  readonly entry: SourceEntry;
}

/** One thing to copy: a file, or a directory whose content is copied. */
export interface CopySource {
  /** Where it goes when the destination is a directory: a file's name; with `parents` the path below it. */
  readonly name: string;
  readonly isDirectory: boolean;
  /** It came from elsewhere than the context: never unpacked by itself. */
  readonly isDownload?: boolean;
  /** Directories before what is in them. */
  readonly items: readonly CopyItem[];
}

export interface Selection {
  readonly sources: readonly CopySource[];
  /** Hex SHA-256 over everything but times and owners. */
  readonly digest: string;
}

/**
 * Finds what an instruction copies, and what it is worth as a cache key.
 *
 * @throws invalid-parameter  nothing is there, or a path leads out of the context
 */
export function selectFiles(tree: SourceTree, request: SelectRequest): Selection {
  const ignored = IgnorePatterns.of(request.excludes);
  const sources = request.sources.flatMap((source) => {
    const wanted = cleanSource(source, request);
    if (!hasWildcards(wanted)) return [selectOne(tree, unescaped(wanted), request, ignored)];
    return expand(tree, wanted).map((path) => selectOne(tree, path, request, ignored));
  });
  if (sources.length === 0) throw failed(request, 'no source files were specified');
  return { sources, digest: digestOf(sources) };
}

/** Hex SHA-256 of sources, without times and owners. */
export function digestOf(sources: readonly CopySource[]): string {
  const hash = createHash('sha256');
  for (const { name, isDirectory, items } of sources) {
    hash.update(`${isDirectory ? 'd' : 'f'}\0${name}\0`);
    for (const { path, entry } of items) {
      const { device } = entry;
      hash.update(`${path}\0${entry.type}\0${entry.mode}\0${entry.linkName}\0${device?.major}:${device?.minor}\0`);
      if (entry.type === 'file') hash.update(entry.digest ?? digestOfFile(entry));
      for (const [key, value] of entry.xattrs) hash.update(`${key}\0`).update(value);
    }
  }
  return hash.digest('hex');
}

function cleanSource(source: string, request: SelectRequest): string {
  const bytes = toBytes(source);
  let depth = 0;
  for (const part of bytes.split('/')) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0 && request.fromContext)
      throw failed(request, `forbidden path outside the build context: ${source} ()`);
  }
  return posix.join('/', bytes).slice(1).replace(/\/$/, '');
}

function selectOne(tree: SourceTree, path: string, request: SelectRequest, ignored: IgnorePatterns): CopySource {
  const found = resolvePath(tree, path);
  const entry = found === undefined ? undefined : tree.find(found);
  if (found === undefined || entry === undefined) {
    const missing = `stat ${toText(path)}: file does not exist`;
    throw failed(
      request,
      request.fromContext ? `file not found in build context or excluded by .dockerignore: ${missing}` : missing,
    );
  }
  const items: CopyItem[] = [];
  const isDirectory = entry.type === 'directory';
  items.push({ path: '', entry });
  if (isDirectory) walk(tree, found, '', ignored, items);
  const name = request.parents ? path : posix.basename(path);
  return { name, isDirectory, items };
}

function walk(tree: SourceTree, root: string, below: string, ignored: IgnorePatterns, items: CopyItem[]): void {
  const directory = [root, below].filter(Boolean).join('/');
  for (const name of tree.list(directory)) {
    const path = below === '' ? name : `${below}/${name}`;
    const entry = tree.find(directory === '' ? name : `${directory}/${name}`);
    if (entry === undefined) continue;
    const excluded = !ignored.isEmpty && ignored.excludes(toText(path));
    if (!excluded) items.push({ path, entry });
    // An exception may bring back something below.
    if (entry.type === 'directory') walk(tree, root, path, ignored, items);
  }
}

function expand(tree: SourceTree, pattern: string): string[] {
  const matches = globExpression(pattern);
  const found: string[] = [];
  // Without `**` nothing deeper than the pattern can match.
  const depth = pattern.includes('**') ? Number.POSITIVE_INFINITY : pattern.split('/').length;
  const visit = (directory: string, level: number) => {
    for (const name of tree.list(directory)) {
      const path = directory === '' ? name : `${directory}/${name}`;
      if (matches.test(path)) found.push(path);
      else if (level < depth && tree.find(path)?.type === 'directory') visit(path, level + 1);
    }
  };
  visit('', 1);
  return found;
}

const unescaped = (path: string) => path.replace(/\\(.)/g, '$1');

function digestOfFile({ content, size }: SourceEntry): string {
  const hash: Hash = createHash('sha256');
  const fd = openSync(forFs(content!.path), 'r');
  try {
    const chunk = Buffer.allocUnsafe(Math.min(1 << 20, Math.max(1, size)));
    for (let at = content!.offset, left = size; left > 0; ) {
      const read = readSync(fd, chunk, 0, Math.min(left, chunk.length), at);
      if (read === 0) break;
      hash.update(chunk.subarray(0, read));
      at += read;
      left -= read;
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

const failed = ({ instruction }: SelectRequest, message: string) =>
  invalidParameter(`${instruction} failed: ${message}`);

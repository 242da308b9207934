import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { EngineError, invalidParameter } from '@gantry/sdk';
import { globExpression, hasWildcards } from '../context/glob';
import { IgnorePatterns } from '../context/ignore-patterns';
import { resolvePath, type SourceEntry, type SourceTree } from '../context/source-tree';
import { Turns } from '../context/turns';
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

/** What an instruction names is not there. */
export class MissingFile extends EngineError {
  constructor(
    message: string,
    readonly path: string,
  ) {
    super('invalid-parameter', message);
  }
}

/**
 * Finds what an instruction copies.
 *
 * @throws invalid-parameter  nothing is there, or a path leads out of the context
 */
export async function findSources(tree: SourceTree, request: SelectRequest): Promise<readonly CopySource[]> {
  const finder = new Finder(tree, request);
  const sources: CopySource[] = [];
  for (const source of request.sources) {
    const wanted = cleanSource(source, request);
    const paths = hasWildcards(wanted) ? await finder.matching(wanted) : [wanted.replace(/\\(.)/g, '$1')];
    for (const path of paths) sources.push(await finder.source(path));
  }
  if (sources.length === 0) throw failed(request, 'no source files were specified');
  return sources;
}

/** The same, with the digests of all files. */
export function withDigests(sources: readonly CopySource[]): readonly CopySource[] {
  return sources.map((source) => ({
    ...source,
    items: source.items.map(({ path, entry }) => ({
      path,
      entry: entry.type === 'file' ? { ...entry, digest: entry.digest ?? digestOfFile(entry) } : entry,
    })),
  }));
}

/** What the history says of files: `file:`, `dir:` or `multi:` with their digest. */
export async function labelOf(sources: readonly CopySource[]): Promise<string> {
  const kind = sources.length > 1 ? 'multi' : sources[0]?.isDirectory ? 'dir' : 'file';
  return `${kind}:${await digestOf(sources)}`;
}

/** Hex SHA-256 of sources, without times and owners. */
export async function digestOf(sources: readonly CopySource[]): Promise<string> {
  const turns = new Turns();
  const hash = createHash('sha256');
  for (const { name, isDirectory, items } of sources) {
    hash.update(`${isDirectory ? 'd' : 'f'}\0${name}\0`);
    for (const { path, entry } of items) {
      if (turns.areDue) await turns.give();
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

/** Looks for the files of one instruction, a slice at a time. */
class Finder {
  private readonly turns = new Turns();
  private readonly ignored: IgnorePatterns;

  constructor(
    private readonly tree: SourceTree,
    private readonly request: SelectRequest,
  ) {
    this.ignored = IgnorePatterns.of(request.excludes);
  }

  async source(path: string): Promise<CopySource> {
    const { tree, request } = this;
    const found = resolvePath(tree, path);
    const entry = found === undefined ? undefined : tree.find(found);
    if (found === undefined || entry === undefined) {
      const missing = `stat ${toText(path)}: file does not exist`;
      const problem = `file not found in build context or excluded by .dockerignore: ${missing}`;
      throw new MissingFile(`${request.instruction} failed: ${request.fromContext ? problem : missing}`, toText(path));
    }
    const items: CopyItem[] = [{ path: '', entry }];
    const isDirectory = entry.type === 'directory';
    if (isDirectory) await this.walk(found, '', items);
    return { name: request.parents ? path : posix.basename(path), isDirectory, items };
  }

  async matching(pattern: string): Promise<string[]> {
    const matches = globExpression(pattern);
    const found: string[] = [];
    // Without `**` nothing deeper than the pattern can match.
    const depth = pattern.includes('**') ? Number.POSITIVE_INFINITY : pattern.split('/').length;
    const visit = async (directory: string, level: number) => {
      for (const name of this.tree.list(directory)) {
        if (this.turns.areDue) await this.turns.give();
        const path = directory === '' ? name : `${directory}/${name}`;
        if (matches.test(path)) found.push(path);
        else if (level < depth && this.tree.find(path)?.type === 'directory') await visit(path, level + 1);
      }
    };
    await visit('', 1);
    return found;
  }

  private async walk(root: string, below: string, items: CopyItem[]): Promise<void> {
    const directory = [root, below].filter(Boolean).join('/');
    for (const name of this.tree.list(directory)) {
      if (this.turns.areDue) await this.turns.give();
      const path = below === '' ? name : `${below}/${name}`;
      const entry = this.tree.find(directory === '' ? name : `${directory}/${name}`);
      if (entry === undefined) continue;
      const excluded = !this.ignored.isEmpty && this.ignored.excludes(toText(path));
      if (!excluded) items.push({ path, entry });
      // An exception may bring back something below.
      if (entry.type === 'directory') await this.walk(root, path, items);
    }
  }
}

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

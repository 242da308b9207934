import { invalidParameter } from '@gantry/sdk';
import { toBytes } from './byte-path';
import { DirectoryTree } from './directory-tree';
import { parseModeChange } from './file-mode';
import { type Owner, resolveOwner } from './owner';
import { type CopySource, findSources, type SelectRequest } from './select-files';
import { TreeWriter } from './tree-writer';
import { isArchive, unpackArchive } from './unpack-archive';

/** Files to be written below a root. */
export interface CopyJob {
  readonly instruction: 'ADD' | 'COPY';
  /** Absolute path of the root file system written to. */
  readonly root: string;
  /** Absolute in that root; with a slash at the end it is a directory. */
  readonly destination: string;
  /** Files that were chosen, or what to choose below a directory. */
  readonly sources: readonly CopySource[] | { readonly from: string; readonly request: SelectRequest };
  /** `--chown`; undefined = `owner`. */
  readonly chown: string | undefined;
  /** Undefined = as the source has it. */
  readonly owner: Owner | undefined;
  /** `--chmod`. */
  readonly chmod: string | undefined;
  /** Unpack archives: those of the context, all, or none. */
  readonly unpack: 'context' | 'all' | 'none';
  /** Sources keep the directories above them. */
  readonly parents: boolean;
  /** As BuildKit has it: owners the image does not know are root, several files need no directory. */
  readonly lenient?: boolean;
}

/**
 * Writes files as COPY and ADD do.
 *
 * @throws invalid-parameter  an unknown owner, a bad mode, or something in the way
 * @see Dockerfile reference, "COPY"
 */
export async function copyFiles(job: CopyJob): Promise<void> {
  const mode = job.chmod === undefined ? undefined : parseModeChange(job.chmod);
  const plain = new TreeWriter(job.root, job.owner, mode);
  const owner = job.chown === undefined ? job.owner : resolveOwner(job.chown, plain.tree, job.lenient === true);
  const writer = new TreeWriter(job.root, owner, mode);
  const destination = toBytes(job.destination);
  const wantsDirectory = destination.endsWith('/') || destination.endsWith('/.') || job.parents;
  const sources =
    'from' in job.sources ? await findSources(new DirectoryTree(job.sources.from), job.sources.request) : job.sources;
  if (sources.length > 1 && !wantsDirectory && !job.lenient)
    throw invalidParameter(
      `When using ${job.instruction} with more than one source file, the destination must be a directory and end with a /`,
    );
  const target = writer.resolve(destination);
  for (const source of sources) await copyOne(source, target, wantsDirectory, job, writer);
  writer.end();
}

/** Makes a directory, as WORKDIR does. */
export function makeDirectory(root: string, path: string): void {
  const writer = new TreeWriter(root, { uid: 0, gid: 0 }, undefined);
  writer.makeDirectory(writer.resolve(toBytes(path)));
}

async function copyOne(
  source: CopySource,
  target: string,
  wantsDirectory: boolean,
  job: CopyJob,
  writer: TreeWriter,
): Promise<void> {
  const [first] = source.items;
  if (first === undefined) return;
  if (source.isDirectory) {
    const base = job.parents ? below(target, source.name) : target;
    writer.makeDirectory(base);
    for (const { path, entry } of source.items) {
      // Only the content is copied: a directory that was there stays as it is, a new one is like any other.
      if (path === '' && !job.parents) continue;
      const place = below(base, path);
      // A link to a directory in the image is as good as the directory.
      if (entry.type === 'directory' && path !== '' && writer.leadsToDirectory(place)) continue;
      writer.put(writer.parentOf(place), entry);
    }
    return;
  }
  const unpack = job.unpack === 'all' || (job.unpack === 'context' && source.isDownload !== true);
  if (unpack && (await isArchive(first.entry))) {
    // The archive's own owners count, unless others were asked for.
    const unpacker = job.chown === undefined ? new TreeWriter(job.root, undefined, undefined) : writer;
    unpacker.makeDirectory(target);
    await unpackArchive(first.entry, target, unpacker);
    unpacker.end();
    return;
  }
  const into = wantsDirectory || writer.tree.find(target)?.type === 'directory';
  writer.put(writer.parentOf(into ? below(target, source.name) : target), first.entry);
}

const below = (directory: string, path: string) => [directory, path].filter(Boolean).join('/');

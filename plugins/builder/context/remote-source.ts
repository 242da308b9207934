import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { EngineError, errorKind, errorMessage, invalidParameter } from '@gantry/sdk';
import { toBytes } from '../copy/byte-path';
import type { CopySource } from '../copy/select-files';
import type { InstructionOf } from '../dockerfile/instructions';
import type { Step } from '../engine/stage-runner';
import { checkOut, isGitUrl, parseGitUrl } from './git-checkout';
import { download } from './http-download';

/** An http or https address that is a file. */
export const isUrl = (text: string): boolean => /^https?:\/\//.test(text);
/** A git repository. */
export const isGitSource = isGitUrl;

/**
 * Fetches a source of ADD.
 *
 * @throws invalid-parameter  its checksum is another one, or it has no name to be kept under
 */
export async function downloadSource(
  source: string,
  destination: string,
  instruction: InstructionOf<'add'>,
  step: Step,
): Promise<CopySource> {
  try {
    return isGitSource(source)
      ? await fromGit(source, instruction, step)
      : await fromHttp(source, destination, instruction.checksum, step);
  } catch (error) {
    if (step.signal.aborted) throw error;
    throw new EngineError(errorKind(error), `ADD failed: ${errorMessage(error)}`, { cause: error });
  }
}

async function fromHttp(
  source: string,
  destination: string,
  checksum: string | undefined,
  { build, output, signal }: Step,
): Promise<CopySource> {
  const path = join(build.folder, `download-${build.nextNumber()}`);
  let shownAt = 0;
  const found = await download(
    source,
    path,
    (current, total) => {
      const now = Date.now();
      if (now - shownAt < 100 && current !== total) return;
      shownAt = now;
      output.message({ status: 'Downloading', progressDetail: total > 0 ? { current, total } : { current } });
    },
    signal,
  );
  output.text('\n');
  const digest = await digestOf(path);
  if (checksum !== undefined && checksum !== `sha256:${digest}`) {
    if (!/^sha256:[0-9a-f]{64}$/.test(checksum)) throw invalidParameter(`invalid checksum "${checksum}": use sha256:…`);
    throw invalidParameter(`digest mismatch sha256:${digest}: ${checksum}`);
  }
  const name = nameOf(found.url, found.contentDisposition);
  if (name === '' && destination.endsWith('/'))
    throw invalidParameter(`cannot determine filename for source ${source}`);
  const modifiedMs = found.lastModifiedMs ?? 0;
  return {
    name: toBytes(name),
    isDirectory: false,
    isDownload: true,
    items: [
      {
        path: '',
        entry: {
          type: 'file',
          mode: 0o600,
          uid: 0,
          gid: 0,
          size: (await stat(path)).size,
          modifiedNs: BigInt(modifiedMs) * 1_000_000n,
          linkName: '',
          content: { path: toBytes(path), offset: 0 },
          digest,
          device: undefined,
          xattrs: new Map(),
        },
      },
    ],
  };
}

async function fromGit(source: string, instruction: InstructionOf<'add'>, step: Step): Promise<CopySource> {
  const { build, signal } = step;
  const git = parseGitUrl(source);
  const folder = join(build.folder, `git-${build.nextNumber()}`);
  const commit = await checkOut(git, folder, { keepGitDirectory: instruction.keepGitDirectory }, signal);
  const { checksum } = instruction;
  if (checksum !== undefined && (checksum.length < 7 || !commit.startsWith(checksum)))
    throw invalidParameter(`expected checksum to match ${checksum}, got ${commit}`);
  const [selected] = await build.builder.files.select(folder, {
    instruction: 'ADD',
    sources: [git.directory === '' ? '.' : git.directory],
    excludes: instruction.excludes,
    parents: false,
    fromContext: true,
  });
  return { ...selected!, isDownload: true };
}

/** The last part of the path, or what the server suggests. */
function nameOf(url: URL, contentDisposition: string): string {
  if (!url.pathname.endsWith('/')) return decodeURIComponent(posix.basename(url.pathname));
  const match = /filename="?([^";]+)"?/i.exec(contentDisposition);
  return match === null ? '' : posix.basename(match[1]!);
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

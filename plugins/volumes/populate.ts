import { closeSync } from 'node:fs';
import { chmod, lchown, lstat, opendir } from 'node:fs/promises';
import { invalidParameter } from '@gantry/sdk';
import { isDirectoryOpen, openInside } from '@gantry/sdk/linux/open-inside';
import { runProgram } from '@gantry/sdk/process';

/**
 * Copies what an image has into a volume, when the volume is empty or an earlier copy did not come to its end.
 *
 * @param progress.note  keeps durably that a copy runs
 */
export async function fillVolume(
  source: string,
  target: string,
  progress: { readonly begun: boolean; note(running: boolean): Promise<void> },
  signal?: AbortSignal,
): Promise<void> {
  if (!progress.begun) {
    if (!(await isEmptyDirectory(target))) return;
    if (await isEmptyDirectory(source)) return copyOwnerAndMode(source, target);
  }
  await progress.note(true);
  await copyTree(source, target, signal);
  await progress.note(false);
}

/**
 * Does something with a directory of a volume that stays the same one, whatever containers do to the path meanwhile.
 *
 * @param subpath relative; empty = the volume itself. Nothing is done when no directory is there.
 */
export async function insideVolume(
  root: string,
  subpath: string,
  work: (directory: string) => Promise<void>,
): Promise<void> {
  if (subpath === '') return work(root);
  const descriptor = tryOpen(root, subpath);
  if (descriptor === undefined) return;
  try {
    // By way of this process, for the child that copies.
    if (isDirectoryOpen(descriptor)) await work(`/proc/${process.pid}/fd/${descriptor}/.`);
  } finally {
    closeSync(descriptor);
  }
}

/** What is wrong with a path is told when it is mounted. */
function tryOpen(root: string, subpath: string): number | undefined {
  try {
    return openInside(root, subpath);
  } catch {
    return undefined;
  }
}

/**
 * Copies a directory tree with owner, mode, times, xattrs, ACLs, links and devices; the target takes owner and mode
 * of the source. No symbolic link is followed on either side. Doing it again over a broken-off copy completes it.
 */
async function copyTree(source: string, target: string, signal?: AbortSignal): Promise<void> {
  for (const path of [source, target])
    if (!(await lstat(path)).isDirectory()) throw invalidParameter(`${path} is not a directory`);
  await runProgram('cp', ['--archive', '--no-target-directory', '--force', '--', source, target], signal);
}

/** All there is to copy of an empty directory. */
async function copyOwnerAndMode(source: string, target: string): Promise<void> {
  const from = await lstat(source);
  if (!(await lstat(target)).isDirectory()) throw invalidParameter(`${target} is not a directory`);
  await lchown(target, from.uid, from.gid);
  await chmod(target, from.mode & 0o7777);
}

async function isEmptyDirectory(path: string): Promise<boolean> {
  const directory = await opendir(path);
  try {
    return (await directory.read()) === null;
  } finally {
    await directory.close();
  }
}

import { chmod, lchown, lstat, opendir } from 'node:fs/promises';
import { invalidParameter } from '@gantry/sdk';
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

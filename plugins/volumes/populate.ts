import { chmod, lchown, lstat, opendir } from 'node:fs/promises';
import { invalidParameter } from '@gantry/sdk';
import { runProgram } from '@gantry/sdk/process';

/**
 * Copies a directory tree with owner, mode, times, xattrs, ACLs, links and devices; the target takes owner and mode
 * of the source. No symbolic link is followed on either side. Doing it again over a broken-off copy completes it.
 */
export async function copyTree(source: string, target: string, signal?: AbortSignal): Promise<void> {
  for (const path of [source, target])
    if (!(await lstat(path)).isDirectory()) throw invalidParameter(`${path} is not a directory`);
  await runProgram('cp', ['--archive', '--no-target-directory', '--force', '--', source, target], signal);
}

/** All there is to copy of an empty directory. */
export async function copyOwnerAndMode(source: string, target: string): Promise<void> {
  const from = await lstat(source);
  if (!(await lstat(target)).isDirectory()) throw invalidParameter(`${target} is not a directory`);
  await lchown(target, from.uid, from.gid);
  await chmod(target, from.mode & 0o7777);
}

export async function isEmptyDirectory(path: string): Promise<boolean> {
  const directory = await opendir(path);
  try {
    return (await directory.read()) === null;
  } finally {
    await directory.close();
  }
}

import { getSystemErrorMap } from 'node:util';
import { errorMessage } from '@gantry/sdk';

/** What mount(8) says → what the kernel said to it, and why where the kernel's words alone do not help. */
const sentences: readonly (readonly [pattern: RegExp, error: string, hint?: string])[] = [
  [
    /unknown filesystem type '([^']*)'/,
    'no such device',
    'this kernel has no file system $1; a kernel or a module with it is needed',
  ],
  [/bad option; for several filesystems/, 'invalid argument', 'wrong option, or one that is missing'],
  [/wrong fs type, bad option/, 'invalid argument', 'wrong file system type, wrong option or damaged file system'],
  [/special device .* does not exist \(a path prefix is not a directory\)/, 'not a directory'],
  [/(special device .*|mount point) does not exist/, 'no such file or directory'],
  [/is not a block device/, 'block device required'],
  [/is not a valid block device/, 'no such device or address'],
  [/already mounted or mount point busy/, 'device or resource busy'],
  [/can't read superblock/, 'input/output error'],
  [/cannot mount .* read-only|is write-protected/, 'permission denied'],
  [/permission denied/, 'operation not permitted'],
];

/** Errors that Node words in its own way: number → words. */
const otherwise: Readonly<Record<number, string>> = {
  5: 'input/output error',
  15: 'block device required',
  16: 'device or resource busy',
};

/** Why a mount failed, in the words of the kernel's error as programs in Go print them. */
export function mountFailure(error: unknown): string {
  const { errno } = error as NodeJS.ErrnoException;
  const words = errno === undefined ? undefined : (otherwise[errno] ?? getSystemErrorMap().get(-errno)?.[1]);
  if (words !== undefined) return words;
  const said = errorMessage(error);
  const call = /system call failed: (.*?)\.?$/m.exec(said)?.[1];
  if (call !== undefined) return call.toLowerCase();
  for (const [pattern, meant, hint] of sentences) {
    const match = pattern.exec(said);
    if (match !== null) return hint === undefined ? meant : `${meant} (${hint.replace('$1', match[1] ?? '')})`;
  }
  return said.split('\n', 1)[0] ?? said;
}

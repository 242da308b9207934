import { readdir, readlink } from 'node:fs/promises';

export interface FoundProcess {
  readonly pid: number;
  readonly directory: string;
}

/**
 * Processes of our own mount namespace that work in `root` or below it: shims (and runtimes they call), which
 * stay in the directory they were started in wherever it is renamed to. Finds also those that an earlier
 * daemon had no time to write down.
 */
export async function findShims(root: string): Promise<FoundProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const own = await readlink('/proc/self/ns/mnt');
  const found = await Promise.all(
    pids.map(async (pid): Promise<FoundProcess[]> => {
      try {
        const directory = (await readlink(`/proc/${pid}/cwd`)).replace(/ \(deleted\)$/, '');
        if (directory !== root && !directory.startsWith(`${root}/`)) return [];
        return (await readlink(`/proc/${pid}/ns/mnt`)) === own ? [{ pid: Number(pid), directory }] : [];
      } catch {
        // The process ended, or is a kernel thread.
        return [];
      }
    }),
  );
  return found.flat();
}

import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Apparent bytes of everything below a directory, each inode once. What vanishes meanwhile is not counted. */
export async function directorySizeBytes(root: string): Promise<number> {
  const seen = new Set<number>();
  let total = 0;
  const queue = [root];
  for (let directory = queue.pop(); directory !== undefined; directory = queue.pop()) {
    const parent = directory;
    const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
    await Promise.all(
      entries.map(async (entry) => {
        const path = join(parent, entry.name);
        if (entry.isDirectory()) queue.push(path);
        const stat = await lstat(path).catch(() => undefined);
        // Directories count nothing: their size says more about the file system than about the content.
        if (stat === undefined || stat.isDirectory() || seen.has(stat.ino)) return;
        if (stat.nlink > 1) seen.add(stat.ino);
        total += stat.size;
      }),
    );
  }
  return total;
}

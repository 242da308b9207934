import { readFile } from 'node:fs/promises';

/** Mount points at or below `folder`, in mount order. @see proc_pid_mountinfo(5) */
export async function mountPointsBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const line of (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')) {
    const field = line.split(' ', 5)[4];
    if (field === undefined) continue;
    const path = field.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    if (path === folder || path.startsWith(`${folder}/`)) found.push(path);
  }
  return found;
}

import { mkdir, readFile } from 'node:fs/promises';
import { mount, mountFlags, unmount } from '@gantry/sdk/linux/mount';

/** Makes a folder a shared mount of its own, so that what a plugin mounts in it is seen by the host. Repeatable. */
export async function sharePropagatedMount(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o755 });
  if (!(await mountPointsIn(path)).includes(path)) mount(path, path, null, mountFlags.bind | mountFlags.recursive);
  mount('none', path, null, mountFlags.shared | mountFlags.recursive);
}

/** Unmounts everything at and below a path, the last mounted first. Repeatable. */
export async function unmountAllIn(path: string): Promise<void> {
  for (const point of (await mountPointsIn(path)).reverse()) unmount(point, { detach: true });
}

/** Mount points at and below a path, in the order of mounting. */
async function mountPointsIn(path: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table
    .split('\n')
    .flatMap((line) => {
      const point = line.split(' ')[4];
      return point === undefined ? [] : [readablePath(point)];
    })
    .filter((point) => point === path || point.startsWith(`${path}/`));
}

/** @see proc(5): blanks and the like are written in octal */
const readablePath = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

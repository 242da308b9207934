import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync } from 'node:fs';

/** Why a file system cannot be had on this machine; undefined when it can. */
export function lacks(type: string): string | undefined {
  const known = readFileSync('/proc/filesystems', 'utf8').split(/\s+/);
  if (!known.includes(type)) return `this kernel has no ${type}`;
  const maker = `mkfs.${type}`;
  try {
    execFileSync('sh', ['-c', `command -v ${maker}`], { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });
    return undefined;
  } catch {
    return `there is no ${maker}`;
  }
}

/** A file with a fresh file system in it. */
export function makeFileSystem(type: string, path: string, megabytes: number): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, megabytes * 1024 * 1024);
  closeSync(file);
  execFileSync(`/sbin/mkfs.${type}`, ['-q', path], { stdio: 'pipe' });
}

/** Attaches a file to a loop device. @returns its path, and the way to let go of it */
export function attachLoop(path: string): { readonly device: string; detach(): void } {
  const device = execFileSync('losetup', ['--find', '--show', path], { encoding: 'utf8' }).trim();
  return { device, detach: () => execFileSync('losetup', ['--detach', device]) };
}

/** Files below a folder that loop devices of this machine hold. */
export function loopsOf(folder: string): string[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .flatMap((name) => {
      try {
        const file = readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trim();
        return file.startsWith(folder) ? [`${name} ${file}`] : [];
      } catch {
        return [];
      }
    });
}

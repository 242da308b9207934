import { randomBytes } from 'node:crypto';
import { lstat, mkdir, open, readdir, readFile, realpath, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, syncDirectory, systemError, writeFileAtomically } from '@gantry/sdk';
import { runProgram } from '@gantry/sdk/process';
import { mountPoints } from './mount-table';
import { decodeVolumeOptions, encodeVolumeOptions, type VolumeOptions } from './volume-options';

export const dataName = '_data';
const optionsName = 'opts.json';
/** Bytes of a file's name, on every file system there is. */
const longestName = 255;

export interface FoundVolume extends VolumeOptions {
  readonly name: string;
  readonly createdAt: Date;
}

/** Names a local volume may have; never a path and never one of our own dot names. */
export const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Volumes found on disk, and the leftovers of creations and removals that were cut short. */
export async function scanVolumes(
  root: string,
  onBroken: (name: string, error: unknown) => void,
): Promise<{ volumes: FoundVolume[]; leftovers: string[] }> {
  const volumes: FoundVolume[] = [];
  const leftovers: string[] = [];
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const { name } = entry;
    if (/^\.(new|removed)-/.test(name)) leftovers.push(join(root, name));
    if (!namePattern.test(name)) continue;
    try {
      // Listed, not looked at: behind a mount on it may be a server that does not answer.
      const inside = await readdir(join(root, name), { withFileTypes: true });
      if (!inside.some((each) => each.name === dataName && each.isDirectory())) continue;
      const text = await readFile(join(root, name, optionsName), 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      const options = text === undefined ? { mount: undefined, sizeBytes: 0 } : decodeVolumeOptions(text);
      volumes.push({ name, createdAt: await bornAt(join(root, name)), ...options });
    } catch (error) {
      onBroken(name, error);
    }
  }
  return { volumes, leftovers };
}

/**
 * Makes a volume's directories: all of it is there under the name, durably, or nothing.
 *
 * @param prepare  gets the data directory while it is empty
 * @throws system  the name is too long for a directory
 */
export async function makeVolume(
  root: string,
  name: string,
  options: VolumeOptions,
  prepare: (data: string) => void,
): Promise<Date> {
  const place = join(root, name);
  if (Buffer.byteLength(name) > longestName)
    throw systemError(`error while creating volume root path '${place}': mkdir ${place}: file name too long`);
  const draft = join(root, `.new-${randomBytes(6).toString('hex')}`);
  await mkdir(draft, { mode: 0o701 });
  try {
    const data = join(draft, dataName);
    await mkdir(data);
    // Whatever the umask is, processes in containers enter by these bits.
    const handle = await open(data, 'r');
    try {
      await handle.chmod(0o755);
    } finally {
      await handle.close();
    }
    prepare(data);
    if (options.mount !== undefined || options.sizeBytes > 0)
      await writeFileAtomically(join(draft, optionsName), encodeVolumeOptions(options));
    await syncDirectory(draft);
    await rename(draft, place);
  } catch (error) {
    await removeTree(draft);
    throw error;
  }
  await syncDirectory(root);
  return bornAt(place);
}

/**
 * Removes a volume's directories. The name is free, durably, before the data goes.
 *
 * @throws conflict  something is mounted in it
 * @throws system    its data is not where it should be: a link leads out of the volume root
 */
export async function destroyVolume(root: string, name: string): Promise<void> {
  const place = join(root, name);
  const found = await lstat(place).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  const data = await realpath(join(place, dataName)).catch(() => undefined);
  const home = join(await realpath(root), name, dataName);
  if (found.isSymbolicLink() || (data !== undefined && data !== home))
    throw systemError(`unable to remove a directory outside of the local volume root ${root}: ${data ?? place}`);
  const inside = [...(await mountPoints())].find((point) => point === home || point.startsWith(`${home}/`));
  if (inside !== undefined) throw conflict(`volume ${name} has a file system mounted on ${inside}`);
  const doomed = join(root, `.removed-${randomBytes(6).toString('hex')}`);
  await rename(place, doomed);
  await syncDirectory(root);
  await removeTree(doomed);
}

/** In a child process: a volume may hold millions of files. */
export async function removeTree(path: string): Promise<void> {
  await runProgram('rm', ['-rf', '--one-file-system', '--', path]);
}

async function bornAt(path: string): Promise<Date> {
  const found = await stat(path);
  return found.birthtimeMs > 0 ? found.birthtime : found.ctime;
}

import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, systemError, writeFileAtomically } from '@gantry/sdk';
import { tryLock } from '@gantry/sdk/linux/flock';

/** Version of the layout below the data root. A newer daemon may raise it; an older one then refuses to touch it. */
const layoutVersion = 1;

/** The directory that holds everything durable, while this daemon is its only user. */
export interface DataRoot {
  /** Without symbolic links. */
  readonly path: string;
  /** Made once per data root, a UUID. */
  readonly engineId: string;
  /** Lets the next daemon in. */
  close(): Promise<void>;
}

/**
 * Makes the data root when it is missing, and locks it.
 *
 * @throws conflict  another daemon uses it
 * @throws system    it was written by a newer daemon, or cannot be used
 */
export async function openDataRoot(wanted: string): Promise<DataRoot> {
  await mkdir(wanted, { recursive: true, mode: 0o710 });
  const path = await realpath(wanted);
  await chmod(path, 0o710);
  const lockFile = await open(join(path, 'daemon.lock'), 'a', 0o600);
  try {
    if (!tryLock(lockFile.fd))
      throw conflict(`the data root ${path} is in use by another daemon; give this one a --data-root of its own`);
    await checkLayout(path);
    return { path, engineId: await engineIdOf(path), close: () => lockFile.close() };
  } catch (error) {
    await lockFile.close();
    throw error;
  }
}

async function checkLayout(path: string): Promise<void> {
  const file = join(path, 'version');
  const found = await readIfThere(file);
  if (found === undefined) return writeFileAtomically(file, `${layoutVersion}\n`);
  if (Number(found) > layoutVersion)
    throw systemError(
      `the data root ${path} has layout ${found}, this daemon knows up to ${layoutVersion}; use the newer daemon again`,
    );
}

async function engineIdOf(path: string): Promise<string> {
  const file = join(path, 'engine-id');
  const found = await readIfThere(file);
  if (found !== undefined && /^[0-9a-f-]{36}$/.test(found)) return found;
  const id = randomUUID();
  await writeFileAtomically(file, `${id}\n`);
  return id;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

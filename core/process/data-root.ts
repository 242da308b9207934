import { randomUUID } from 'node:crypto';
import { access, chmod, mkdir, open, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, type Logger, writeFileAtomically } from '@gantry/sdk';
import { tryLock } from '@gantry/sdk/linux/flock';
import { bringToCurrentLayout, type LayoutMigration, layoutMigrations } from './layout-migrations';

/** Locked by the daemon that uses the data root. */
export const lockFileName = 'daemon.lock';

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
 * Makes the data root when it is missing, locks it, and brings what an older daemon has written to today's layout.
 *
 * @throws conflict  another daemon uses it, or it is dockerd's
 * @throws system    it was written by a newer daemon, or cannot be used
 */
export async function openDataRoot(
  wanted: string,
  log: Logger,
  migrations: readonly LayoutMigration[] = layoutMigrations,
): Promise<DataRoot> {
  await mkdir(wanted, { recursive: true, mode: 0o710 });
  const path = await realpath(wanted);
  await chmod(path, 0o710);
  const lockFile = await open(join(path, lockFileName), 'a', 0o600);
  try {
    if (!tryLock(lockFile.fd))
      throw conflict(`the data root ${path} is in use by another daemon; give this one a --data-root of its own`);
    await refuseForeign(path);
    await bringToCurrentLayout(path, migrations, log);
    return { path, engineId: await engineIdOf(path), close: () => lockFile.close() };
  } catch (error) {
    await lockFile.close();
    throw error;
  }
}

/** A file by which a data root is known as dockerd's; undefined when it is not. */
export async function dockerdMark(path: string): Promise<string | undefined> {
  for (const mark of ['network/files/local-kv.db', 'image/overlay2/repositories.json', 'buildkit/containerdmeta.db'])
    if (await exists(join(path, mark))) return mark;
  return undefined;
}

/** What dockerd has written cannot be read here, and must not be mixed with ours. */
async function refuseForeign(path: string): Promise<void> {
  const mark = await dockerdMark(path);
  if (mark !== undefined)
    throw conflict(
      `the data root ${path} holds the state of dockerd (${mark}), which is neither read nor changed here: ` +
        'choose another --data-root, and bring images over with "docker save" and "docker load"',
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

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

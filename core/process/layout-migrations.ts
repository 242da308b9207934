import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage, type Logger, systemError, writeFileAtomically } from '@gantry/sdk';

/** One step from a layout of the data root to the next. */
export interface LayoutMigration {
  /** What changes, for the log. */
  readonly about: string;
  /**
   * Changes the files below the data root. May be cut off at any moment and is then run again: what has been changed
   * already must be left as it is.
   *
   * @param backup  a directory that exists; the step keeps a copy there of what it changes
   */
  run(dataRoot: string, backup: string): Promise<void>;
}

/**
 * The steps in their order: the first one leads from layout 1 to layout 2. A step that has been released is never
 * changed; a new layout is a new step at the end.
 */
export const layoutMigrations: readonly LayoutMigration[] = [];

/**
 * Checks which layout the data root has, and takes the steps that are missing.
 *
 * @throws system  it was written by a newer daemon, cannot be told, or a step failed
 */
export async function bringToCurrentLayout(
  dataRoot: string,
  migrations: readonly LayoutMigration[],
  log: Logger,
): Promise<void> {
  const file = join(dataRoot, 'version');
  const current = 1 + migrations.length;
  const found = await readVersion(file);
  if (found === undefined) return writeFileAtomically(file, `${current}\n`);
  if (found > current)
    throw systemError(
      `the data root ${dataRoot} has layout ${found}, this daemon knows up to ${current}; use the newer daemon again`,
    );
  for (let layout = found; layout < current; layout++) {
    const { about, run } = migrations[layout - 1]!;
    const backup = join(dataRoot, `backup-layout-${layout}`);
    log.warn(`changing the data root to layout ${layout + 1}: ${about}`, { dataRoot, backup });
    try {
      await mkdir(backup, { recursive: true, mode: 0o700 });
      await run(dataRoot, backup);
    } catch (error) {
      throw systemError(
        `the data root ${dataRoot} could not be changed from layout ${layout} to ${layout + 1} (${about}): ` +
          `${errorMessage(error)}; what it changed before is kept in ${backup}`,
        error,
      );
    }
    await writeFileAtomically(file, `${layout + 1}\n`);
    log.warn(`the data root has layout ${layout + 1} now; older daemons refuse it, and ${backup} is yours to remove`);
  }
}

async function readVersion(file: string): Promise<number | undefined> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw systemError(`${file} should hold the number of a layout and holds ${JSON.stringify(text.slice(0, 40))}`);
}

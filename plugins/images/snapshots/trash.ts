import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@gantry/sdk';
import { unmount } from '@gantry/sdk/linux/mount';
import { mountPointsBelow } from './mount-table';

/** Removes directories by renaming them away at once and deleting them in the background. */
export class Trash {
  private sequence = 0;
  private tail: Promise<void> = Promise.resolve();

  constructor(
    private readonly folder: string,
    private readonly log: Logger,
  ) {}

  /** Deletes, in the background, what an earlier daemon left here. */
  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    for (const path of (await mountPointsBelow(this.folder)).reverse()) unmount(path, { detach: true });
    for (const name of await readdir(this.folder)) this.deleteLater(join(this.folder, name));
  }

  /** Gone under its name when this returns; absent is no error. */
  async discard(path: string): Promise<void> {
    const target = join(this.folder, `${process.pid}-${Date.now()}-${this.sequence++}`);
    try {
      await rename(path, target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    this.deleteLater(target);
  }

  /** Resolves when everything discarded so far is deleted. */
  emptied(): Promise<void> {
    return this.tail;
  }

  // One after the other: deleting is not urgent and must not crowd out other disk work.
  private deleteLater(path: string): void {
    this.tail = this.tail.then(() =>
      rm(path, { recursive: true, force: true, maxRetries: 2 }).catch((error) =>
        this.log.warn('cannot delete discarded layer', { path, error: String(error) }),
      ),
    );
  }
}

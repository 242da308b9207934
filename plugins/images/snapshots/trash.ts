import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@gantry/sdk';
import { unmount } from '@gantry/sdk/linux/mount';
import { hasProjectQuota, holdLimit } from '@gantry/sdk/linux/project-quota';
import { mountPointsBelow } from './mount-table';

/** Removes directories by renaming them away at once and deleting them in the background. */
export class Trash {
  private sequence = 0;
  private tail: Promise<void> = Promise.resolve();
  private hasLimits = false;

  constructor(
    private readonly folder: string,
    private readonly log: Logger,
  ) {}

  /** Deletes, in the background, what an earlier daemon left here. */
  async open(): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    this.hasLimits = hasProjectQuota(this.folder);
    for (const path of (await mountPointsBelow(this.folder)).reverse()) unmount(path, { detach: true });
    for (const name of await readdir(this.folder)) this.deleteLater(join(this.folder, name));
  }

  /** Gone under its name when this returns; absent is no error. */
  async discard(path: string): Promise<void> {
    const target = join(this.folder, `${process.pid}-${Date.now()}-${this.sequence++}`);
    try {
      await rename(path, target);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (code !== 'EXDEV') throw error;
      // An administrator has made a project of the folder: nothing that has another one can be moved in it.
      await this.delete(path);
      return;
    }
    this.deleteLater(target);
  }

  /** Resolves when everything discarded so far is deleted. */
  emptied(): Promise<void> {
    return this.tail;
  }

  // One after the other: deleting is not urgent and must not crowd out other disk work.
  private deleteLater(path: string): void {
    this.tail = this.tail.then(async () => {
      try {
        await this.delete(path);
      } catch (error) {
        this.log.warn('cannot delete discarded layer', { path, error: String(error) });
      }
    });
  }

  private async delete(path: string): Promise<void> {
    const limits = this.hasLimits ? await this.holdLimits(path) : [];
    await rm(path, { recursive: true, force: true, maxRetries: 2 });
    for (const lift of limits) lift();
  }

  /** Limits of a writable layer, or of all those in a discarded folder of halves. */
  private async holdLimits(path: string): Promise<(() => void)[]> {
    const inside = await readdir(path, { withFileTypes: true }).catch(() => []);
    const folders = inside.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
    return [path, ...folders].map((each) => holdLimit(each, this.folder));
  }
}

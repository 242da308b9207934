import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Files that live as long as one operation; emptied at the start of the daemon. */
export class Scratch {
  private sequence = 0;
  private prefix = '';

  private constructor(private readonly folder: string) {}

  /** What an earlier daemon left is deleted in the background: it may be gigabytes. */
  static async open(folder: string): Promise<Scratch> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const leftovers = await readdir(folder);
    const self = new Scratch(folder);
    // Names of this daemon differ from those being deleted.
    self.prefix = `${process.pid}-${Date.now()}-`;
    for (const name of leftovers) rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
    return self;
  }

  /** A new path on the file system of the layers; the caller removes what it makes there. */
  path(what: string): string {
    return join(this.folder, `${this.prefix}${what}-${this.sequence++}`);
  }
}

import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** A folder for what builds need while they run. What a killed daemon left in it is removed at the start. */
export class Scratch {
  private constructor(private readonly root: string) {}

  static async open(root: string): Promise<Scratch> {
    await rm(root, { recursive: true, force: true });
    await mkdir(root, { recursive: true, mode: 0o700 });
    return new Scratch(root);
  }

  /** A new folder of one build; the caller removes it. */
  async folder(): Promise<string> {
    const path = join(this.root, randomBytes(8).toString('hex'));
    await mkdir(path, { mode: 0o700 });
    return path;
  }
}

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from '@gantry/sdk';

/** Which writable layers are of managed plugins and not of containers: an empty file each, there before the layer is. */
export class PluginRoots {
  private constructor(
    private readonly folder: string,
    private readonly known: Set<string>,
  ) {}

  static async open(folder: string): Promise<PluginRoots> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new PluginRoots(folder, new Set(await readdir(folder)));
  }

  has(id: string): boolean {
    return this.known.has(id);
  }

  list(): readonly string[] {
    return [...this.known];
  }

  /** Durable before it returns. */
  async add(id: string): Promise<void> {
    await writeFile(join(this.folder, id), '');
    await syncDirectory(this.folder);
    this.known.add(id);
  }

  /** Repeatable. */
  async delete(id: string): Promise<void> {
    await rm(join(this.folder, id), { force: true });
    this.known.delete(id);
  }
}

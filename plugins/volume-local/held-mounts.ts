import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '@gantry/sdk';

/** Mount ids per volume, kept over a restart of the daemon for the volumes that really are mounts. */
export class HeldMounts {
  private constructor(
    private readonly directory: string,
    private readonly idsByVolume: Map<string, Set<string>>,
  ) {}

  static async open(directory: string): Promise<HeldMounts> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const ids = new Map<string, Set<string>>();
    for (const file of await readdir(directory)) {
      if (!file.endsWith('.ids')) {
        // Half-written when the daemon died.
        await rm(join(directory, file), { force: true });
        continue;
      }
      const lines = (await readFile(join(directory, file), 'utf8')).split('\n').filter((line) => line !== '');
      ids.set(file.slice(0, -'.ids'.length), new Set(lines));
    }
    return new HeldMounts(directory, ids);
  }

  volumes(): string[] {
    return [...this.idsByVolume.keys()];
  }

  count(volume: string): number {
    return this.idsByVolume.get(volume)?.size ?? 0;
  }

  has(volume: string, id: string): boolean {
    return this.idsByVolume.get(volume)?.has(id) ?? false;
  }

  async add(volume: string, id: string, persist: boolean): Promise<void> {
    const ids = this.idsByVolume.get(volume) ?? new Set();
    ids.add(id);
    this.idsByVolume.set(volume, ids);
    if (persist) await this.save(volume);
  }

  async delete(volume: string, id: string, persist: boolean): Promise<void> {
    const ids = this.idsByVolume.get(volume);
    ids?.delete(id);
    if (ids?.size === 0) this.idsByVolume.delete(volume);
    if (persist) await this.save(volume);
  }

  async forget(volume: string): Promise<void> {
    this.idsByVolume.delete(volume);
    await this.save(volume);
  }

  private async save(volume: string): Promise<void> {
    const path = join(this.directory, `${volume}.ids`);
    const ids = this.idsByVolume.get(volume);
    if (ids === undefined) await rm(path, { force: true });
    else await writeFileAtomically(path, [...ids].join('\n'), { durable: false });
  }
}

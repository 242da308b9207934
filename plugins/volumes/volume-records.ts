import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeFileAtomically } from '@gantry/sdk';

/** What the engine keeps about a volume; the data and its place belong to the driver. */
export interface VolumeRecord {
  readonly name: string;
  readonly driver: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
  /** Image content is being copied in, or into this directory of it; still set after a crash: it is done again. */
  readonly populating?: true | string;
}

/** Volume records in memory and, one JSON file each, on disk. */
export class VolumeRecords {
  private constructor(
    private readonly directory: string,
    private readonly byName: Map<string, VolumeRecord>,
  ) {}

  /** Reads what is there. Files that are half-written leftovers are removed, unreadable ones reported. */
  static async open(directory: string, onBroken: (path: string, error: unknown) => void): Promise<VolumeRecords> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const byName = new Map<string, VolumeRecord>();
    for (const file of await readdir(directory)) {
      const path = join(directory, file);
      if (!file.endsWith('.json')) {
        await rm(path, { force: true });
        continue;
      }
      try {
        const record = parseRecord(JSON.parse(await readFile(path, 'utf8')));
        byName.set(record.name, record);
      } catch (error) {
        onBroken(path, error);
      }
    }
    return new VolumeRecords(directory, byName);
  }

  get(name: string): VolumeRecord | undefined {
    return this.byName.get(name);
  }

  all(): VolumeRecord[] {
    return [...this.byName.values()];
  }

  /** Durable when it returns. */
  async put(record: VolumeRecord): Promise<void> {
    await writeFileAtomically(this.pathOf(record.name), `${JSON.stringify(record)}\n`);
    this.byName.set(record.name, record);
  }

  /** Durable when it returns. Repeatable. */
  async delete(name: string): Promise<void> {
    if (!this.byName.delete(name)) return;
    await rm(this.pathOf(name), { force: true });
    await syncDirectory(this.directory);
  }

  private pathOf(name: string): string {
    // Drivers other than `local` may take any name: slashes, a leading dot, more than a file name can hold.
    const readable = encodeURIComponent(name).replace(/^\./, '%2E');
    const file = readable.length <= 200 ? readable : `sha256-${createHash('sha256').update(name).digest('hex')}`;
    return join(this.directory, `${file}.json`);
  }
}

function parseRecord(value: unknown): VolumeRecord {
  const record = value as VolumeRecord;
  if (typeof record?.name !== 'string' || typeof record.driver !== 'string') throw new Error('not a volume record');
  return record;
}

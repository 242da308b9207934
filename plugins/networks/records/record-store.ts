import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, syncDirectory, writeFileAtomically } from '@gantry/sdk';

/** One JSON file per object in a directory. */
export class RecordStore<T> {
  /** @param durable whether an acknowledged change must survive a power cut, or only the daemon's death */
  constructor(
    private readonly directory: string,
    private readonly durable: boolean,
    private readonly log: Logger,
  ) {}

  /** Every readable record. Leftovers of interrupted writes are removed; unreadable files are kept and named in the log. */
  async load(): Promise<T[]> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const records: T[] = [];
    for (const name of await readdir(this.directory)) {
      const path = join(this.directory, name);
      if (name.includes('.tmp-')) {
        await rm(path, { force: true });
        continue;
      }
      if (!name.endsWith('.json')) continue;
      try {
        records.push(JSON.parse(await readFile(path, 'utf8')) as T);
      } catch (error) {
        this.log.error('unreadable record is left aside', { path, error: String(error) });
      }
    }
    return records;
  }

  async save(id: string, record: T): Promise<void> {
    await writeFileAtomically(this.path(id), JSON.stringify(record), { durable: this.durable });
  }

  async remove(id: string): Promise<void> {
    await rm(this.path(id), { force: true });
    if (this.durable) await syncDirectory(this.directory);
  }

  private path(id: string): string {
    return join(this.directory, `${id}.json`);
  }
}

import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, parseJson, stringifyJson, syncDirectory, systemError, writeFileAtomically } from '@gantry/sdk';
import type { ContainerRecord } from './container-record';

const volumesFile = 'anonymous-volumes.json';

/** A creation that a killed daemon did not finish. */
export interface UnfinishedCreation {
  readonly id: string;
  /** Anonymous volumes it may have made. */
  readonly volumes: readonly string[];
}

/** Records on disk: `<root>/<id>/config.json`, beside the container's log and network files. */
export class RecordStore {
  /** Those `load` met; `remove` each once its volumes are gone. */
  readonly unfinished: UnfinishedCreation[] = [];

  constructor(
    readonly root: string,
    private readonly log: Logger,
  ) {}

  directory(id: string): string {
    return join(this.root, id);
  }

  /**
   * Writes a record.
   *
   * @param options.durable on disk before it returns; what can be rebuilt from the runtime need not be
   */
  async save(record: ContainerRecord, options: { durable: boolean }): Promise<void> {
    await writeFileAtomically(join(this.directory(record.id), 'config.json'), stringifyJson(record), options);
  }

  /** Makes the directory of a new container and writes its record, durably. */
  async create(record: ContainerRecord): Promise<void> {
    await mkdir(this.directory(record.id), { recursive: true, mode: 0o710 });
    await this.save(record, { durable: true });
    await syncDirectory(this.root);
  }

  /** Writes down which anonymous volumes are about to be made for a container that has no record yet. */
  async noteVolumes(id: string, names: readonly string[]): Promise<void> {
    await mkdir(this.directory(id), { recursive: true, mode: 0o710 });
    await writeFileAtomically(join(this.directory(id), volumesFile), JSON.stringify(names), { durable: false });
  }

  /** The record has them now. */
  async forgetVolumes(id: string): Promise<void> {
    await rm(join(this.directory(id), volumesFile), { force: true });
  }

  /** Forgets a container: the record goes first, so that a crash in between leaves only what no one refers to. */
  async remove(id: string): Promise<void> {
    await rm(join(this.directory(id), 'config.json'), { force: true });
    await rm(this.directory(id), { recursive: true, force: true });
  }

  /**
   * Every readable record. Directories without one are removed: their container was never acknowledged, or its
   * removal had begun.
   *
   * @throws system  a record was written by a newer daemon
   */
  async load(): Promise<ContainerRecord[]> {
    await mkdir(this.root, { recursive: true, mode: 0o710 });
    const entries = await readdir(this.root, { withFileTypes: true });
    const ids = entries.filter((entry) => entry.isDirectory() && /^[0-9a-f]{64}$/.test(entry.name));
    const records = await Promise.all(ids.map((entry) => this.read(entry.name)));
    return records.filter((record) => record !== undefined);
  }

  /** Records that a daemon was writing when it was killed. */
  private async removeHalfWritten(id: string): Promise<void> {
    for (const name of await readdir(this.directory(id)))
      if (name.startsWith('config.json.tmp-')) await rm(join(this.directory(id), name), { force: true });
  }

  private async notedVolumes(id: string): Promise<readonly string[]> {
    try {
      return JSON.parse(await readFile(join(this.directory(id), volumesFile), 'utf8')) as string[];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  private async read(id: string): Promise<ContainerRecord | undefined> {
    const path = join(this.directory(id), 'config.json');
    let content: string;
    try {
      content = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      const volumes = await this.notedVolumes(id);
      if (volumes.length > 0) {
        this.unfinished.push({ id, volumes });
        return undefined;
      }
      this.log.info('removing the directory of a container that has no record', { id });
      await rm(this.directory(id), { recursive: true, force: true });
      return undefined;
    }
    let record: ContainerRecord;
    try {
      record = parseJson(content) as ContainerRecord;
    } catch (error) {
      this.log.error('skipping a container whose record cannot be read', { path, error: String(error) });
      return undefined;
    }
    await Promise.all([this.removeHalfWritten(id), this.forgetVolumes(id)]);
    if (record.version > 1)
      throw systemError(`${path} has version ${record.version}; this daemon reads version 1: start a newer one`);
    return record;
  }
}

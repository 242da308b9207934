import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  conflict,
  invalidParameter,
  notFound,
  type PluginImages,
  syncDirectory,
  writeFileAtomically,
} from '@gantry/sdk';
import { type InstalledPlugin, type PluginRecord, withConfig } from './plugin-record';

const recordFile = 'plugin.json';
const fullId = /^[0-9a-f]{64}$/;

/** Installed plugins in memory and on disk: `<folder>/<id>/plugin.json`. */
export class PluginRecords {
  private readonly byId = new Map<string, InstalledPlugin>();

  private constructor(
    readonly folder: string,
    private readonly images: Pick<PluginImages, 'parseName'>,
  ) {}

  /** @param onBroken told about records that cannot be read; they and what belongs to them are left alone */
  static async open(
    folder: string,
    images: Pick<PluginImages, 'parseName'>,
    onBroken: (id: string, error: unknown) => void,
  ): Promise<PluginRecords> {
    const records = new PluginRecords(folder, images);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const id of await readdir(folder)) {
      if (!fullId.test(id)) continue;
      try {
        const record = JSON.parse(await readFile(join(folder, id, recordFile), 'utf8')) as PluginRecord;
        records.byId.set(id, withConfig(record));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') onBroken(id, error);
      }
    }
    return records;
  }

  /** Sorted by name. */
  list(): readonly InstalledPlugin[] {
    return [...this.byId.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  byFullId(id: string): InstalledPlugin | undefined {
    return this.byId.get(id);
  }

  /**
   * By name with or without tag, full id, or unique prefix of an id (P-KIND-1).
   *
   * @throws not-found `plugin "x" not found`; invalid-parameter  several ids begin so
   */
  find(reference: string): InstalledPlugin {
    const missing = () => notFound(`plugin "${reference}" not found`);
    const exact = this.byId.get(reference);
    if (exact !== undefined) return exact;
    if (fullId.test(reference)) throw missing();
    const named = this.byName(reference);
    if (named !== undefined) return named;
    const candidates = reference === '' ? [] : this.list().filter(({ id }) => id.startsWith(reference));
    if (candidates.length > 1) throw invalidParameter(`multiple plugins found for "${reference}"`);
    if (candidates.length === 0) throw missing();
    return candidates[0]!;
  }

  /** @throws conflict  in dockerd's words */
  assertFree(name: string): void {
    if (this.list().some((plugin) => plugin.name === name)) throw conflict(`plugin ${name} already exists`);
  }

  pathOf(id: string): string {
    return join(this.folder, id);
  }

  /** Durable when it returns. */
  async put(plugin: InstalledPlugin): Promise<InstalledPlugin> {
    const { config: _, ...record } = plugin;
    const path = this.pathOf(plugin.id);
    const isNew = !this.byId.has(plugin.id);
    await mkdir(path, { recursive: true, mode: 0o700 });
    await writeFileAtomically(join(path, recordFile), `${JSON.stringify(record)}\n`);
    if (isNew) await syncDirectory(this.folder);
    this.byId.set(plugin.id, plugin);
    return plugin;
  }

  /** The record goes durably; its folder is left for who cleans it. */
  async delete(id: string): Promise<void> {
    await rm(join(this.pathOf(id), recordFile), { force: true });
    await syncDirectory(this.pathOf(id));
    this.byId.delete(id);
  }

  /** Folders of plugins whose record is gone: they were being made or removed when the daemon ended. */
  async abandoned(): Promise<readonly string[]> {
    const folders = await readdir(this.folder, { withFileTypes: true });
    const ids = folders.filter((entry) => entry.isDirectory() && fullId.test(entry.name)).map(({ name }) => name);
    const isAbandoned = async (id: string) =>
      !this.byId.has(id) && !(await readdir(this.pathOf(id))).includes(recordFile);
    const flags = await Promise.all(ids.map(isAbandoned));
    return ids.filter((_, index) => flags[index]);
  }

  private byName(reference: string): InstalledPlugin | undefined {
    let name: string;
    try {
      const parsed = this.images.parseName(reference);
      if (parsed.hasDigest) return undefined;
      name = parsed.name;
    } catch {
      return undefined;
    }
    return this.list().find((plugin) => plugin.name === name);
  }
}

import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  errorMessage,
  type ImageManager,
  type ImageSummary,
  KeyedLock,
  type Logger,
  writeFileAtomically,
} from '@gantry/sdk';

/** The result of one step, by what it was made from. */
export interface CacheRecord {
  /** Hex SHA-256 of the step: the image it stood on, the instruction, the content of its files. */
  readonly key: string;
  /** `sha256:…`. */
  readonly imageId: string;
  /** As the history says it. */
  readonly description: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly usageCount: number;
}

/** What was not used for so long is removed until no more than so much is left. */
export interface CachePolicy {
  readonly maximumBytes: number;
  readonly unusedForMs: number;
}

/** A record with what its image says today. */
export interface CacheEntry extends CacheRecord {
  readonly image: ImageSummary;
  /** Of the step's own layer. */
  readonly sizeBytes: number;
  /** An image with a name, or a container, stands on it: its space is not the cache's. */
  readonly shared: boolean;
  /** A build under way stands on it. */
  readonly inUse: boolean;
}

/**
 * Results of build steps, shared by all builds. Records are lines appended to a file: a killed daemon loses at most the
 * last one, and a record whose image is gone is worth nothing and is dropped.
 */
export class BuildCache {
  private readonly records = new Map<string, CacheRecord>();
  private readonly lock = new KeyedLock();
  /** What files in images are called, with their digest, by image and selection: both never change. */
  readonly fileLabels = new BoundedMap<string, string>(10_000);
  private lines = 0;

  private constructor(
    private readonly path: string,
    private readonly images: ImageManager,
    private readonly usedByContainer: (imageId: string) => boolean,
    private readonly log: Logger,
  ) {}

  static async open(
    folder: string,
    images: ImageManager,
    usedByContainer: (imageId: string) => boolean,
    log: Logger,
  ): Promise<BuildCache> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const self = new BuildCache(join(folder, 'records.jsonl'), images, usedByContainer, log);
    await self.load();
    return self;
  }

  /** The image an equal step made, if it is still there. */
  async find(key: string): Promise<string | undefined> {
    const record = this.records.get(key);
    if (record === undefined) return undefined;
    if ((await this.imageOf(record)) === undefined) {
      this.records.delete(key);
      return undefined;
    }
    await this.write({ ...record, lastUsedAt: Date.now(), usageCount: record.usageCount + 1 });
    return record.imageId;
  }

  async add(key: string, imageId: string, description: string): Promise<void> {
    const now = Date.now();
    await this.write({ key, imageId, description, createdAt: now, lastUsedAt: now, usageCount: 0 });
  }

  /** All records whose images are there. */
  async entries(): Promise<CacheEntry[]> {
    const found: { record: CacheRecord; image: ImageSummary }[] = [];
    for (const [index, record] of [...this.records.values()].entries()) {
      // A large cache must not hold up requests.
      if (index % 100 === 99) await setImmediate();
      const image = await this.imageOf(record);
      if (image !== undefined) found.push({ record, image });
    }
    const shared = await this.sharedImages(found.map(({ image }) => image));
    return Promise.all(
      found.map(async ({ record, image }) => {
        const parent = image.parentId === undefined ? undefined : await this.image(image.parentId);
        const sizeBytes = Math.max(0, image.sizeBytes - (parent?.sizeBytes ?? 0));
        return { ...record, image, sizeBytes, shared: shared.has(image.id), inUse: this.images.isLeased(image.id) };
      }),
    );
  }

  /**
   * Forgets records and removes their images, those first that nothing stands on.
   *
   * @returns the bytes this freed
   */
  async remove(entries: readonly CacheEntry[]): Promise<number> {
    let freed = 0;
    const kept = new Map(entries.map(({ key }) => [key, this.records.get(key)]));
    for (const key of kept.keys()) this.records.delete(key);
    const left = new Map(entries.map((entry) => [entry.imageId, entry]));
    for (let progress = true; progress && left.size > 0; ) {
      progress = false;
      for (const [id, entry] of left) {
        if (!(await this.images.removeUnused(id))) continue;
        left.delete(id);
        freed += entry.sizeBytes;
        progress = true;
      }
    }
    for (const { key, imageId } of left.values()) {
      const record = kept.get(key);
      // A build that has begun meanwhile took it.
      if (record !== undefined && this.images.isLeased(imageId)) this.records.set(key, record);
    }
    await this.rewrite();
    return freed;
  }

  /** Brings the cache within its limits: what was used longest ago goes first. */
  async collect(policies: readonly CachePolicy[]): Promise<void> {
    await this.lock.run('collect', async () => {
      const own = (await this.entries()).filter((entry) => !entry.shared && !entry.inUse);
      own.sort((a, b) => a.lastUsedAt - b.lastUsedAt);
      let total = own.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      const leaving = new Set<CacheEntry>();
      for (const { maximumBytes, unusedForMs } of policies)
        for (const entry of own) {
          if (total <= maximumBytes && maximumBytes > 0) break;
          if (leaving.has(entry) || entry.lastUsedAt > Date.now() - unusedForMs) continue;
          leaving.add(entry);
          total -= entry.sizeBytes;
        }
      if (leaving.size > 0) await this.remove([...leaving]);
    });
  }

  private async imageOf(record: CacheRecord): Promise<ImageSummary | undefined> {
    return this.image(record.imageId);
  }

  private image(id: string): Promise<ImageSummary | undefined> {
    return this.images.resolve(id).catch(() => undefined);
  }

  /** Images that a named one, or a container's, was made from, with these themselves. */
  private async sharedImages(images: readonly ImageSummary[]): Promise<Set<string>> {
    const shared = new Set<string>();
    for (const image of images) {
      if (image.repoTags.length === 0 && !this.usedByContainer(image.id)) continue;
      for (let at: ImageSummary | undefined = image; at !== undefined && !shared.has(at.id); ) {
        shared.add(at.id);
        at = at.parentId === undefined ? undefined : await this.image(at.parentId);
      }
    }
    return shared;
  }

  private async write(record: CacheRecord): Promise<void> {
    this.records.set(record.key, record);
    this.lines++;
    await this.lock.run('file', () => appendFile(this.path, `${JSON.stringify(record)}\n`, { mode: 0o600 }));
    if (this.lines > 1000 + 4 * this.records.size) await this.rewrite();
  }

  private rewrite(): Promise<void> {
    return this.lock.run('file', async () => {
      const text = [...this.records.values()].map((record) => `${JSON.stringify(record)}\n`).join('');
      this.lines = this.records.size;
      await writeFileAtomically(this.path, text);
    });
  }

  private async load(): Promise<void> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return '';
    });
    for (const line of text.split('\n')) {
      if (line === '') continue;
      this.lines++;
      try {
        const record = JSON.parse(line) as CacheRecord;
        this.records.set(record.key, record);
      } catch (error) {
        // The last line of a daemon that was killed while it wrote.
        this.log.debug('a line of the build cache cannot be read', { error: errorMessage(error) });
      }
    }
    for (const record of [...this.records.values()])
      if ((await this.imageOf(record)) === undefined) this.records.delete(record.key);
    await this.adopt();
    if (this.lines !== this.records.size) await this.rewrite();
  }

  /** Takes in images that a killed daemon had made, but not written down. */
  private async adopt(): Promise<void> {
    const known = new Set([...this.records.values()].map(({ imageId }) => imageId));
    const now = Date.now();
    for (const { imageId, step } of this.images.looseSteps()) {
      if (known.has(imageId) || this.records.has(step)) continue;
      const description = (await this.images.history(imageId)).at(-1)?.createdBy ?? '';
      const record = { key: step, imageId, description, createdAt: now, lastUsedAt: now, usageCount: 0 };
      this.records.set(step, record);
    }
  }
}

/** The id of a record as the API shows it. */
export const cacheId = (key: string): string => createHash('sha256').update(key).digest('hex').slice(0, 25);

/** Forgets what was put in first. */
class BoundedMap<K, V> {
  private readonly values = new Map<K, V>();

  constructor(private readonly maximum: number) {}

  get(key: K): V | undefined {
    return this.values.get(key);
  }

  set(key: K, value: V): void {
    this.values.delete(key);
    this.values.set(key, value);
    if (this.values.size > this.maximum) this.values.delete(this.values.keys().next().value as K);
  }
}

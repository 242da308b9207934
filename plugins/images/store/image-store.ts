import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { invalidParameter, type Logger, notFound, writeFileAtomically } from '@gantry/sdk';
import type { ContentStore } from './content-store';
import { chainIds } from './digests';
import { type ImageFile, parseImageFile } from './image-config';
import type { LayerStore } from './layer-store';

/** What is kept of an image beside its config blob. */
interface ImageRecord {
  readonly id: string;
  readonly parent?: string;
  /** RFC 3339; when the image was last tagged here. */
  readonly lastTagTime?: string;
  /** What its maker knows it by. */
  readonly step?: string;
  /** Digests of manifests in the content store that lead to this image. */
  readonly manifests: readonly string[];
}

export interface StoredImage extends ImageRecord {
  readonly file: ImageFile;
  /** From the base upwards. */
  readonly chainIds: readonly string[];
  /** Bytes of all layers. */
  readonly sizeBytes: number;
}

/** Images by id. Each holds its topmost layer. */
export class ImageStore {
  private readonly images = new Map<string, StoredImage>();

  private constructor(
    private readonly folder: string,
    private readonly content: ContentStore,
    private readonly layers: LayerStore,
  ) {}

  /** Reads all records; an image of which a part is missing is dropped and reported. */
  static async open(folder: string, content: ContentStore, layers: LayerStore, log: Logger): Promise<ImageStore> {
    const self = new ImageStore(folder, content, layers);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await readdir(folder);
    await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name);
        if (!/^[0-9a-f]{64}\.json$/.test(name)) return rm(path, { force: true });
        try {
          const record = JSON.parse(await readFile(path, 'utf8')) as ImageRecord;
          const blob = await content.get(record.id);
          if (blob === undefined) throw notFound(`config ${record.id} is missing`);
          self.remember(record, blob);
        } catch (error) {
          log.error('dropping an image that is not whole', { image: name.slice(0, 12), error: String(error) });
          await rm(path, { force: true });
        }
      }),
    );
    // A crash between blob and record leaves the blob.
    await content.keepOnly(new Set(self.list().flatMap((image) => [image.id, ...image.manifests])));
    return self;
  }

  get(id: string): StoredImage | undefined {
    return this.images.get(id);
  }

  list(): readonly StoredImage[] {
    return [...this.images.values()];
  }

  get size(): number {
    return this.images.size;
  }

  childrenOf(id: string): readonly StoredImage[] {
    return this.list().filter((image) => image.parent === id);
  }

  /**
   * Adds an image whose layers exist, or adds to what is known of one. Durable before it returns.
   *
   * @param options.manifest a manifest blob that leads to it
   * @throws invalid-parameter  the config is malformed or its layers are missing
   */
  async add(config: Buffer, options: { manifest?: Buffer; parent?: string; step?: string } = {}): Promise<StoredImage> {
    const id = await this.content.put(config);
    const manifest = options.manifest === undefined ? undefined : await this.content.put(options.manifest);
    const known = this.images.get(id);
    const manifests = new Set(known?.manifests);
    if (manifest !== undefined) manifests.add(manifest);
    if (known !== undefined && manifests.size === known.manifests.length) return known;
    const record: ImageRecord = {
      id,
      parent: known?.parent ?? options.parent,
      lastTagTime: known?.lastTagTime,
      step: known?.step ?? options.step,
      manifests: [...manifests],
    };
    if (known === undefined) this.remember(record, config);
    else this.images.set(id, { ...known, ...record });
    await this.write(record);
    return this.images.get(id)!;
  }

  async markTagged(id: string, when: Date): Promise<void> {
    const image = this.images.get(id);
    if (image === undefined) return;
    const next = { ...image, lastTagTime: when.toISOString() };
    this.images.set(id, next);
    await this.write(next);
  }

  /**
   * What was loaded as the image it was made from. Nothing happens when one of the two is gone again.
   *
   * @throws invalid-parameter  its history is not that of the parent and one step more
   */
  async setParent(id: string, parent: string): Promise<void> {
    const [image, below] = [this.images.get(id), this.images.get(parent)];
    if (image === undefined || below === undefined || image.parent === parent) return;
    const [own, inherited] = [image.file.history, below.file.history];
    const isStepAbove =
      own.length === inherited.length + 1 && isDeepStrictEqual(own.slice(0, inherited.length), inherited);
    if (!isStepAbove && own.length + inherited.length > 0)
      throw invalidParameter(`image ${parent} is not a valid parent for ${id}`);
    const next = { ...image, parent };
    this.images.set(id, next);
    await this.write(next);
  }

  /** @returns chainIDs of the layers this removed */
  async remove(id: string): Promise<string[]> {
    const image = this.images.get(id);
    if (image === undefined) return [];
    this.images.delete(id);
    await rm(this.path(id), { force: true });
    await this.content.remove(id);
    const inUse = new Set(this.list().flatMap((other) => other.manifests));
    for (const manifest of image.manifests) if (!inUse.has(manifest)) await this.content.remove(manifest);
    const top = image.chainIds.at(-1);
    return top === undefined ? [] : this.layers.release(top);
  }

  /** The config blob. */
  async config(id: string): Promise<Buffer> {
    const blob = await this.content.get(id);
    if (blob === undefined) throw notFound(`config blob ${id} is missing`);
    return blob;
  }

  private remember(record: ImageRecord, config: Buffer): void {
    const file = parseImageFile(config);
    const chain = chainIds(file.rootfs.diff_ids);
    let sizeBytes = 0;
    for (const chainId of chain) {
      const layer = this.layers.get(chainId);
      if (layer === undefined) throw invalidParameter(`layer ${chainId} of image ${record.id} is missing`);
      sizeBytes += layer.sizeBytes;
    }
    const top = chain.at(-1);
    if (top !== undefined) this.layers.hold(top);
    this.images.set(record.id, { ...record, file, chainIds: chain, sizeBytes });
  }

  private write({ id, parent, lastTagTime, step, manifests }: ImageRecord): Promise<void> {
    return writeFileAtomically(this.path(id), JSON.stringify({ id, parent, lastTagTime, step, manifests }));
  }

  private path(id: string): string {
    return join(this.folder, `${id.slice('sha256:'.length)}.json`);
  }
}

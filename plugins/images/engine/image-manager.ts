import { pipeline, type Readable, Transform } from 'node:stream';
import type {
  CommittedImage,
  ImageCommit,
  ImageLease,
  ImageManager,
  ImagePull,
  ImageSummary,
  ImageUsers,
  ProgressMessage,
  RootFilesystem,
  StorageOptions,
  WritableOptions,
} from '@gantry/sdk';
import { notFound, systemError } from '@gantry/sdk';
import { familiarString, parseReference, withDefaultTag } from '../reference/reference';
import { anonymous, credentialsOf } from '../registry/credentials';
import { parsePlatform } from '../registry/platform';
import type { StoredImage } from '../store/image-store';
import { commitImage } from './commit';
import { loadImages } from './load';
import { ProgressWriter } from './progress';
import { pullImage } from './pull';
import { deleteImage } from './remove';
import { assertPlatform, parseTagTarget, resolveImage } from './resolve';
import type { Stores } from './stores';
import { tagImage } from './tag';

/** Images as other plugins see them. */
export class Images implements ImageManager {
  constructor(private readonly stores: Stores) {}

  async resolve(reference: string): Promise<ImageSummary> {
    return this.summary(resolveImage(reference, this.stores));
  }

  ancestorsOf(imageId: string): readonly string[] {
    const found: string[] = [];
    for (let at = this.stores.images.get(imageId)?.parent; at !== undefined; at = this.stores.images.get(at)?.parent)
      found.push(at);
    return found;
  }

  async createRootFilesystem(
    containerId: string,
    imageId: string | undefined,
    options: WritableOptions = {},
  ): Promise<RootFilesystem> {
    const { images, layers, snapshotter } = this.stores;
    this.checkStorageOptions(options.storageOptions ?? {});
    const image = imageId === undefined ? undefined : images.get(imageId);
    if (imageId !== undefined && image === undefined) throw notFound(`No such image: ${imageId}`);
    const top = image?.chainIds.at(-1);
    if (top !== undefined) layers.hold(top);
    try {
      await snapshotter.createWritable(containerId, top, options);
    } catch (error) {
      if (top !== undefined) await layers.release(top);
      throw error;
    }
    return this.rootFilesystem(containerId);
  }

  checkStorageOptions(options: StorageOptions): void {
    const { snapshotter, storageDriver } = this.stores;
    if (snapshotter.checkStorageOptions !== undefined) snapshotter.checkStorageOptions(options);
    else if (Object.keys(options).length > 0)
      throw systemError(
        `--storage-opt ${Object.keys(options).join(', ')}: storage driver ${storageDriver} has no options`,
      );
  }

  async openRootFilesystem(containerId: string): Promise<RootFilesystem> {
    return this.rootFilesystem(containerId);
  }

  async removeRootFilesystem(containerId: string): Promise<void> {
    const { layers, snapshotter } = this.stores;
    if (!snapshotter.hasWritable(containerId)) return;
    const top = snapshotter.parentOf(containerId);
    await snapshotter.removeWritable(containerId);
    if (top !== undefined && layers.get(top) !== undefined) await layers.release(top);
  }

  async rootFilesystemSize(containerId: string): Promise<{ sizeRw: number; sizeRootFs: number }> {
    const { layers, snapshotter } = this.stores;
    const sizeRw = await snapshotter.usageBytes(containerId);
    let sizeRootFs = sizeRw;
    for (let at = snapshotter.parentOf(containerId); at !== undefined; at = layers.get(at)?.parent)
      sizeRootFs += layers.get(at)?.sizeBytes ?? 0;
    return { sizeRw, sizeRootFs };
  }

  rootFilesystemChanges(containerId: string): Promise<readonly { path: string; kind: 0 | 1 | 2 }[]> {
    return this.stores.snapshotter.changes(containerId);
  }

  async commit(request: ImageCommit, signal: AbortSignal): Promise<CommittedImage> {
    const { image, tag } = await commitImage(request, this.stores, signal);
    return { image: this.summary(image), ...(tag === undefined ? {} : { tag: familiarString(tag) }) };
  }

  async history(imageId: string): Promise<readonly { createdBy: string; emptyLayer: boolean }[]> {
    const image = this.stores.images.get(imageId);
    if (image === undefined) throw notFound(`No such image: ${imageId}`);
    return image.file.history.map((entry) => ({
      createdBy: entry.created_by ?? '',
      emptyLayer: entry.empty_layer ?? false,
    }));
  }

  load(archive: Readable, signal: AbortSignal): Promise<void> {
    const silent = new ProgressWriter({ send: () => {}, isSlow: false });
    const own = new Transform({ transform: (chunk: Buffer, _encoding, done) => done(null, Buffer.from(chunk)) });
    // An error of the archive reaches who reads the copy.
    pipeline(archive, own, () => {});
    return loadImages(own, { quiet: true, platform: undefined }, this.stores, silent, signal);
  }

  async tag(imageId: string, reference: string): Promise<string> {
    const tag = parseTagTarget(reference, '');
    await this.stores.change(async () => {
      const image = this.stores.images.get(imageId);
      if (image === undefined) throw notFound(`No such image: ${imageId}`);
      await tagImage(image, tag, this.stores);
    });
    return familiarString(tag);
  }

  checkTag(reference: string): string {
    return familiarString(parseTagTarget(reference, ''));
  }

  async pull(
    { reference, platform, credentials }: ImagePull,
    onProgress: (message: ProgressMessage) => void,
    signal: AbortSignal,
  ): Promise<ImageSummary> {
    const request = {
      reference: withDefaultTag(parseReference(reference)),
      platform: platform === undefined ? undefined : parsePlatform(platform),
      credentials: credentials === undefined ? anonymous : credentialsOf(credentials),
    };
    await pullImage(request, this.stores, new ProgressWriter({ send: onProgress, isSlow: false }), signal);
    const image = resolveImage(reference, this.stores);
    assertPlatform(image, reference, request.platform);
    return this.summary(image);
  }

  async removeUnused(imageId: string): Promise<boolean> {
    const { stores } = this;
    return stores.change(async () => {
      const image = stores.images.get(imageId);
      if (image === undefined || stores.references.of(imageId).length > 0) return false;
      await deleteImage(image, { force: false, prune: false }, true, [], stores);
      return stores.images.get(imageId) === undefined;
    });
  }

  lease(): ImageLease {
    return this.stores.leases.open((id) => this.stores.images.get(id) !== undefined);
  }

  isLeased(imageId: string): boolean {
    return this.stores.leases.has(imageId);
  }

  looseSteps(): readonly { readonly imageId: string; readonly step: string }[] {
    const { images, references } = this.stores;
    const all = images.list();
    const parents = new Set(all.map(({ parent }) => parent));
    return all.flatMap(({ id, step }) =>
      step === undefined || parents.has(id) || references.of(id).length > 0 ? [] : [{ imageId: id, step }],
    );
  }

  setUsers(users: ImageUsers): void {
    this.stores.users.set(users);
  }

  async collectRootFilesystems(keep: ReadonlySet<string>): Promise<void> {
    for (const id of await this.stores.snapshotter.listWritable()) {
      if (keep.has(id) || this.stores.pluginRoots.has(id)) continue;
      this.stores.log.info('removing a root file system that belongs to no container', { container: id.slice(0, 12) });
      await this.removeRootFilesystem(id);
    }
  }

  private rootFilesystem(id: string): RootFilesystem {
    const { snapshotter, storageDriver } = this.stores;
    if (!snapshotter.hasWritable(id))
      throw notFound(
        `storage driver "${storageDriver}" has no root file system of container ${id.slice(0, 12)}: ` +
          'if it was made with another driver, start the daemon with that storage-driver to use it',
      );
    const data = snapshotter.describe(id);
    return {
      mount: () => snapshotter.mount(id),
      unmount: () => snapshotter.unmount(id),
      graphDriver: { name: storageDriver, data },
    };
  }

  private summary(image: StoredImage): ImageSummary {
    return {
      id: image.id,
      config: image.file.config,
      os: image.file.os,
      architecture: image.file.architecture,
      layers: image.file.rootfs.diff_ids,
      repoTags: this.stores.references.tagsOf(image.id),
      sizeBytes: image.sizeBytes,
      ...(image.parent === undefined ? {} : { parentId: image.parent }),
    };
  }
}

import type { CommittedImage, ImageCommit, ImageManager, ImageSummary, ImageUsers, RootFilesystem } from '@gantry/sdk';
import { notFound } from '@gantry/sdk';
import { overlayChanges } from '../overlay/changes';
import { familiarString } from '../reference/reference';
import type { StoredImage } from '../store/image-store';
import { commitImage } from './commit';
import { resolveImage } from './resolve';
import type { Stores } from './stores';

/** Images as other plugins see them. */
export class Images implements ImageManager {
  constructor(private readonly stores: Stores) {}

  async resolve(reference: string): Promise<ImageSummary> {
    return this.summary(resolveImage(reference, this.stores));
  }

  async createRootFilesystem(containerId: string, imageId: string): Promise<RootFilesystem> {
    const { images, layers, snapshotter } = this.stores;
    const image = images.get(imageId);
    if (image === undefined) throw notFound(`No such image: ${imageId}`);
    const top = image.chainIds.at(-1);
    if (top !== undefined) layers.hold(top);
    try {
      await snapshotter.createWritable(containerId, top);
    } catch (error) {
      if (top !== undefined) await layers.release(top);
      throw error;
    }
    return this.rootFilesystem(containerId);
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
    const { snapshotter } = this.stores;
    return overlayChanges(snapshotter.upperPath(containerId), snapshotter.lowerPaths(containerId));
  }

  async commit(request: ImageCommit, signal: AbortSignal): Promise<CommittedImage> {
    const { image, tag } = await commitImage(request, this.stores, signal);
    return { image: this.summary(image), ...(tag === undefined ? {} : { tag: familiarString(tag) }) };
  }

  setUsers(users: ImageUsers): void {
    this.stores.users.set(users);
  }

  async collectRootFilesystems(keep: ReadonlySet<string>): Promise<void> {
    for (const id of await this.stores.snapshotter.listWritable()) {
      if (keep.has(id)) continue;
      this.stores.log.info('removing a root file system that belongs to no container', { container: id.slice(0, 12) });
      await this.removeRootFilesystem(id);
    }
  }

  private rootFilesystem(id: string): RootFilesystem {
    const { snapshotter } = this.stores;
    // Also tells whether it exists.
    const data = snapshotter.describe(id);
    return {
      mount: () => snapshotter.mount(id),
      unmount: () => snapshotter.unmount(id),
      graphDriver: { name: 'overlay2', data },
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
    };
  }
}

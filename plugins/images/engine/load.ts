import type { Readable } from 'node:stream';
import { type ArchivedImage, readArchive } from '../archive/archive-contents';
import { ArchiveFile } from '../archive/archive-file';
import { familiarString } from '../reference/reference';
import type { Platform } from '../registry/platform';
import { chainIds, sha256 } from '../store/digests';
import { parseImageFile } from '../store/image-config';
import type { LayerSource } from '../store/layer-source';
import type { FileRange } from '../unpack/decompress';
import { EarlyLayers } from './early-layers';
import { publishImageEvent } from './image-events';
import type { ProgressWriter } from './progress';
import type { Stores } from './stores';

export interface LoadOptions {
  readonly quiet: boolean;
  readonly platform: Platform | undefined;
}

/**
 * Loads every image of an archive: `docker save` or OCI layout, plain, gzip or zstd.
 *
 * @param body its buffers are given away: nobody else may look at them
 * @throws invalid-parameter  the archive is malformed; images before the malformed one stay
 */
export async function loadImages(
  body: Readable,
  options: LoadOptions,
  stores: Stores,
  progress: ProgressWriter,
  signal: AbortSignal,
): Promise<void> {
  const path = stores.scratch.path('load');
  const early = new EarlyLayers(path, stores, signal);
  let archive: ArchiveFile | undefined;
  try {
    archive = await ArchiveFile.spool(body, path, stores.transfers, signal, (layer) => early.begin(layer));
    const images = await readArchive(archive, options.platform);
    const loading = { early, readings: new Readings(archive, images), options, stores, progress, signal };
    for (const archived of images) await loadOne(archived, loading);
    await linkParents(images, stores);
  } finally {
    // It reads the archive.
    await early.close();
    await archive?.close();
  }
}

interface Loading {
  readonly early: EarlyLayers;
  readonly readings: Readings;
  readonly options: LoadOptions;
  readonly stores: Stores;
  readonly progress: ProgressWriter;
  readonly signal: AbortSignal;
}

async function loadOne(archived: ArchivedImage, loading: Loading): Promise<void> {
  const { early, readings, options, stores, progress, signal } = loading;
  const { diff_ids: diffIds } = parseImageFile(archived.config).rootfs;
  const chain = chainIds(diffIds);
  const sources = diffIds.map((diffId, index): LayerSource => {
    const range = archived.layers[index]!;
    const shortId = diffId.slice('sha256:'.length, 'sha256:'.length + 12);
    // The archive may hold the layer compressed, so the total is a lower bound.
    const onProgress = options.quiet
      ? undefined
      : (bytes: number) => progress.bar(shortId, 'Loading layer', bytes, Math.max(range.length, bytes));
    return {
      diffId,
      chainId: chain[index]!,
      parent: chain[index - 1],
      early: () => early.take(range, onProgress ?? (() => {})),
      open: async () => range,
      onRead: () => readings.done(range),
      onProgress,
    };
  });
  const top = await stores.layers.ensure(sources, signal);
  try {
    await stores.change(async () => {
      const image = await stores.images.add(archived.config, { manifest: archived.manifest });
      for (const tag of archived.tags) {
        const before = await stores.references.set(tag, image.id);
        const shown = familiarString(tag);
        if (before !== undefined && before !== image.id)
          progress.send({
            stream: `The image ${shown} already exists, renaming the old one with ID ${before} to empty string\n`,
          });
        progress.send({ stream: `Loaded image: ${shown}\n` });
      }
      if (archived.tags.length === 0) progress.send({ stream: `Loaded image ID: ${image.id}\n` });
      publishImageEvent(stores, 'load', image.id, image.id, image);
    });
  } finally {
    // The image holds its own layers now; without it they go.
    if (top !== undefined) await stores.layers.release(top);
  }
}

/** An image keeps its parent when both come from one archive. @throws invalid-parameter  it cannot be the parent */
async function linkParents(images: readonly ArchivedImage[], stores: Stores): Promise<void> {
  const links = images.map(({ config, parent }) => ({ id: sha256(config), parent }));
  for (const { id, parent } of links)
    if (parent !== undefined && links.some((other) => other.id === parent))
      await stores.change(() => stores.images.setParent(id, parent));
}

/** Gives back the space of each layer in an archive after its last reading; one layer may stand in several stacks. */
class Readings {
  private readonly left = new Map<number, number>();

  constructor(
    private readonly archive: ArchiveFile,
    images: readonly ArchivedImage[],
  ) {
    for (const { layers } of images)
      for (const { offset } of layers) this.left.set(offset, (this.left.get(offset) ?? 0) + 1);
  }

  async done(range: FileRange): Promise<void> {
    const left = this.left.get(range.offset)! - 1;
    this.left.set(range.offset, left);
    if (left === 0) await this.archive.discard(range);
  }
}

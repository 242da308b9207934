import { rm } from 'node:fs/promises';
import {
  conflict,
  type DaemonSettings,
  formatTimeNs,
  type ImageCommit,
  type ImageConfig,
  invalidParameter,
  notFound,
  wallClockNs,
} from '@gantry/sdk';
import { sortedMap } from '@gantry/sdk/wire';
import { parseReference, type Reference, withDefaultTag } from '../reference/reference';
import { hostPlatform } from '../registry/platform';
import { dockerJson, wholeContainerConfig, wholeImageConfig } from '../store/container-config';
import { chainIds } from '../store/digests';
import type { HistoryEntry } from '../store/image-config';
import type { StoredImage } from '../store/image-store';
import { publishImageEvent } from './image-events';
import { applyChanges } from './import-changes';
import type { Stores } from './stores';
import { tagImage } from './tag';

/** @throws see ImageManager.commit */
export async function commitImage(
  request: ImageCommit,
  stores: Stores,
  signal: AbortSignal,
): Promise<{ image: StoredImage; tag: Reference | undefined }> {
  const tag = request.tag === undefined ? undefined : parseTag(request.tag);
  const config = applyChanges(request.config, request.changes ?? []);
  const parent = request.parentId === undefined ? undefined : stores.images.get(request.parentId);
  if (request.parentId !== undefined && parent === undefined) throw notFound(`No such image: ${request.parentId}`);
  const below = parent?.chainIds.at(-1);
  // Whatever happens to the parent meanwhile, its layers stay.
  if (below !== undefined) stores.layers.hold(below);
  const held = below === undefined ? [] : [below];
  try {
    const layer =
      request.containerId === undefined
        ? layerOfAnother(request, below, stores)
        : await commitLayer(request, request.containerId, below, stores, signal);
    if (layer !== undefined) held.push(layer.chainId);
    const blob = dockerJson(describe(request, config, parent, layer?.diffId, stores.settings));
    return await stores.change(async () => {
      const image = await stores.images.add(blob, {
        ...(parent === undefined ? {} : { parent: parent.id }),
        ...(request.step === undefined ? {} : { step: request.step }),
      });
      request.lease?.hold(image.id);
      publishImageEvent(stores, 'create', image.id, image.id, image);
      if (tag !== undefined) await tagImage(image, tag, stores);
      return { image, tag };
    });
  } finally {
    // From the top, or a parent could go first.
    for (const chainId of held.reverse()) await stores.layers.release(chainId);
  }
}

/** @throws invalid-parameter */
function parseTag(text: string): Reference {
  const reference = parseReference(text);
  if (reference.digest !== undefined) throw invalidParameter('refusing to create a tag with a digest reference');
  return withDefaultTag(reference);
}

/** @returns the layer, held once; undefined when none is asked for */
function layerOfAnother(
  { layerOf }: ImageCommit,
  below: string | undefined,
  { images, layers }: Stores,
): { diffId: string; chainId: string } | undefined {
  if (layerOf === undefined) return undefined;
  const { imageId, index } = layerOf;
  const image = images.get(imageId);
  const chainId = image?.chainIds[index];
  const diffId = image?.file.rootfs.diff_ids[index];
  if (chainId === undefined || diffId === undefined) throw notFound(`No such layer: ${imageId}, number ${index}`);
  if (image?.chainIds[index - 1] !== below)
    throw conflict(`layer ${index} of ${imageId} does not stand on the layers of the parent`);
  layers.hold(chainId);
  return { diffId, chainId };
}

/** @returns the layer, held once; undefined when the container has written nothing */
async function commitLayer(
  request: ImageCommit,
  containerId: string,
  below: string | undefined,
  stores: Stores,
  signal: AbortSignal,
): Promise<{ diffId: string; chainId: string } | undefined> {
  const { layers, scratch, snapshotter, workers } = stores;
  if (snapshotter.parentOf(containerId) !== below)
    throw conflict(`container ${containerId} was not made from the image its layer is to be put on`);
  const path = scratch.path('commit');
  const asked = request.consume ?? false;
  const own = await snapshotter.difference(containerId, { consume: asked }, signal);
  const consume = asked && !own.mustStay;
  try {
    const directory = own.path;
    const packing = workers.pack(
      {
        directory,
        form: consume ? 'recipe' : 'archive',
        path,
        ...(request.createdAt === undefined ? {} : { latestMs: request.createdAt.getTime() }),
      },
      signal,
    );
    // Half a tree must not become an image, whether or not its other half was missed.
    const packed = await packing.catch((error: unknown) => {
      assertStillThere(containerId, stores);
      throw error;
    });
    assertStillThere(containerId, stores);
    if (packed.entries === 0 && !request.keepEmpty) return undefined;
    const { diffId, sizeBytes, fileBytes } = packed;
    const chainId = below === undefined ? diffId : chainIds([below, diffId])[1]!;
    const layer = { diffId, chainId, parent: below };
    const source = consume
      ? { ...layer, unpacked: { directory, recipePath: path, sizeBytes: fileBytes, tarSizeBytes: sizeBytes } }
      : { ...layer, open: async () => ({ path, offset: 0, length: sizeBytes }) };
    await layers.ensure([source], signal);
    // What only this container had cannot be fetched or built again.
    if (!consume) await layers.flush();
    return { diffId, chainId };
  } finally {
    await rm(path, { force: true });
    await own.release();
  }
}

/** @throws conflict */
function assertStillThere(containerId: string, { snapshotter }: Stores): void {
  if (!snapshotter.hasWritable(containerId))
    throw conflict(`container ${containerId} was removed while it was committed: nothing was made`);
}

/** The config blob. @see OCI image spec, config.md */
function describe(
  request: ImageCommit,
  config: ImageConfig,
  parent: StoredImage | undefined,
  diffId: string | undefined,
  { engineVersion }: DaemonSettings,
): Record<string, unknown> {
  const created = request.createdAt?.toISOString() ?? formatTimeNs(wallClockNs());
  const { os, architecture, variant } = request.platform ?? parent?.file ?? hostPlatform();
  const entry: HistoryEntry = {
    created,
    created_by: request.createdBy,
    ...(request.author === '' ? {} : { author: request.author }),
    ...(request.comment === '' ? {} : { comment: request.comment }),
    ...(diffId === undefined ? { empty_layer: true } : {}),
  };
  const { containerConfig } = request;
  return sortedMap({
    architecture,
    ...(variant ? { variant } : {}),
    os,
    ...(parent?.file['os.version'] ? { 'os.version': parent.file['os.version'] } : {}),
    config: containerConfig === undefined ? config : wholeImageConfig(config, containerConfig),
    // Its random id would make every image another one.
    ...(request.containerId === undefined || request.createdAt !== undefined ? {} : { container: request.containerId }),
    ...(containerConfig === undefined
      ? {}
      : { container_config: wholeContainerConfig(containerConfig), docker_version: engineVersion }),
    created,
    ...(request.author === '' ? {} : { author: request.author }),
    rootfs: {
      type: 'layers',
      diff_ids: [...(parent?.file.rootfs.diff_ids ?? []), ...(diffId === undefined ? [] : [diffId])],
    },
    history: [...(parent?.file.history ?? []), ...(request.unrecorded ? [] : [entry])],
  });
}

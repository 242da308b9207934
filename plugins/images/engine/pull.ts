import { notFound } from '@gantry/sdk';
import { canonicalName, familiarName, familiarString, type Reference } from '../reference/reference';
import type { Credentials } from '../registry/credentials';
import type { Download, DownloadListener } from '../registry/downloads';
import { chooseManifest, type Descriptor, type Manifest, parseManifest } from '../registry/manifests';
import { matchPlatform, type Platform, platformString } from '../registry/platform';
import { accessTo } from '../registry/registries';
import type { RepositoryClient } from '../registry/repository-client';
import { chainIds, sha256 } from '../store/digests';
import type { LayerFact } from '../store/distribution-facts';
import { parseImageFile } from '../store/image-config';
import type { StoredImage } from '../store/image-store';
import type { LayerSource } from '../store/layer-store';
import type { PullClaim } from '../store/unfinished-pulls';
import { publishImageEvent } from './image-events';
import type { ProgressWriter } from './progress';
import { pullError } from './pull-errors';
import type { Stores } from './stores';

export interface PullRequest {
  /** Neither tag nor digest = all tags. */
  readonly reference: Reference;
  /** Undefined = the machine's own, and an image for another is taken too when there is no choice. */
  readonly platform: Platform | undefined;
  readonly credentials: Credentials;
}

interface Context extends PullRequest {
  readonly stores: Stores;
  readonly progress: ProgressWriter;
  readonly signal: AbortSignal;
}

/**
 * Pulls an image, or all tags of a repository.
 *
 * @throws not-found  no such manifest, repository, or access to it
 * @throws system     the registry cannot be reached or answers nonsense
 */
export async function pullImage(
  request: PullRequest,
  stores: Stores,
  progress: ProgressWriter,
  signal: AbortSignal,
): Promise<void> {
  const { reference, credentials } = request;
  const context: Context = { ...request, stores, progress, signal };
  const access = accessTo(reference, credentials, 'pull');
  try {
    if (reference.tag !== undefined || reference.digest !== undefined) {
      const probe = (client: RepositoryClient) => client.headManifest(manifestName(reference), signal);
      const { client, result } = await stores.registries.connect(access, probe, signal);
      await pullOne(reference, client, result, context);
      return;
    }
    const { client, result } = await stores.registries.connect(access, (found) => found.tags(signal), signal);
    for (const tag of result) {
      const tagged = { ...reference, tag };
      await pullOne(tagged, client, await client.headManifest(tag, signal), context);
    }
  } catch (error) {
    throw pullError(error, reference);
  }
}

async function pullOne(
  reference: Reference,
  client: RepositoryClient,
  digest: string | undefined,
  context: Context,
): Promise<void> {
  const { stores, progress, platform } = context;
  const known = digest === undefined ? undefined : knownImage(reference, digest, platform, stores);
  progress.send({ status: `Pulling from ${familiarRepository(reference)}`, id: manifestName(reference) });
  const before = stores.references.get(reference);
  const name = async (found: StoredImage, resolved: string) => {
    progress.send({ status: `Digest: ${resolved}` });
    await stores.references.set({ ...reference, tag: undefined, digest: resolved }, found.id);
    if (reference.digest === undefined) await stores.references.set(reference, found.id);
  };
  const keep = async () => {
    if (known === undefined || stores.images.get(known.id) === undefined) return undefined;
    await name(known, digest!);
    return known;
  };
  const image = (await stores.change(keep)) ?? (await fetchImage(reference, client, name, context));
  const unchanged = before === image.id;
  const shown = familiarString(reference);
  progress.send({
    status: unchanged ? `Status: Image is up to date for ${shown}` : `Status: Downloaded newer image for ${shown}`,
  });
  publishImageEvent(stores, 'pull', shown, familiarName(reference), image);
}

/** An image this digest led to before, if it is for the platform asked for. */
function knownImage(
  reference: Reference,
  digest: string,
  platform: Platform | undefined,
  stores: Stores,
): StoredImage | undefined {
  const id = stores.references.get({ ...reference, tag: undefined, digest });
  const image = id === undefined ? undefined : stores.images.get(id);
  if (image === undefined) return undefined;
  return platform === undefined || matchPlatform(platform, image.file) ? image : undefined;
}

async function fetchImage(
  reference: Reference,
  client: RepositoryClient,
  name: (image: StoredImage, digest: string) => Promise<void>,
  context: Context,
): Promise<StoredImage> {
  const { platform, signal, stores } = context;
  const shown = familiarString(reference);
  const top = await client.getManifest(manifestName(reference), signal);
  let manifest: Manifest = parseManifest(top.body, top.contentType, shown);
  let body = top.body;
  for (let depth = 0; manifest.kind === 'index'; depth++) {
    if (depth > 3) throw notFound(`the index of ${shown} is nested too deeply`);
    const chosen = chooseManifest(manifest.manifests, platform);
    const child = await client.getManifest(chosen.digest, signal);
    body = child.body;
    manifest = parseManifest(body, child.contentType, shown);
  }
  const { config: configDescriptor, layers } = manifest;
  const config = await client.readBlob(configDescriptor.digest, signal);
  const file = parseImageFile(config);
  if (platform !== undefined && !matchPlatform(platform, file))
    throw notFound(
      `image with reference ${shown} was found but does not provide the specified platform (${platformString(platform)})`,
    );
  const diffIds = file.rootfs.diff_ids;
  if (diffIds.length !== layers.length)
    throw notFound(`${shown}: the manifest has ${layers.length} layers, the config ${diffIds.length}`);
  const claim = await stores.unfinishedPulls.begin(sha256(body), chainIds(diffIds));
  let isKept = false;
  let held: string | undefined;
  try {
    held = await stores.layers.ensure(layerSources(diffIds, layers, client, claim, context), signal);
    const facts = layers.map((layer, index) => [diffIds[index]!, factOf(layer, reference)] as const);
    const present = new Set(stores.layers.list().map((layer) => layer.diffId));
    await stores.facts.add(new Map(facts), (diffId) => present.has(diffId));
    const image = await stores.change(async () => {
      const added = await stores.images.add(config, { manifest: body });
      // Also a registry without digests in its headers gave us content we hashed.
      await name(added, reference.digest ?? sha256(top.body));
      return added;
    });
    isKept = true;
    // An attempt that was cut off may have left blobs whose layers it had unpacked.
    await stores.downloads.discard(layers.map(({ digest }) => digest));
    return image;
  } finally {
    if (held !== undefined) await stores.layers.release(held);
    await claim.end(isKept ? 'finished' : 'failed');
  }
}

function layerSources(
  diffIds: readonly string[],
  layers: readonly Descriptor[],
  client: RepositoryClient,
  claim: PullClaim,
  { stores, progress }: Context,
): LayerSource[] {
  const chain = chainIds(diffIds);
  return layers.map((layer, index): LayerSource => {
    const id = layer.digest.slice('sha256:'.length, 'sha256:'.length + 12);
    const chainId = chain[index]!;
    progress.status(id, stores.layers.get(chainId) === undefined ? 'Pulling fs layer' : 'Already exists');
    const listener: DownloadListener = {
      waiting: () => progress.status(id, 'Waiting'),
      moved: (current, total) => progress.bar(id, 'Downloading', current, total),
      retrying: (seconds) => progress.status(id, `Retrying in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}`),
      verifying: () => progress.status(id, 'Verifying Checksum'),
    };
    let release: Download['release'] | undefined;
    return {
      diffId: diffIds[index]!,
      chainId,
      parent: chain[index - 1],
      async open(signal) {
        const fetch = client.receiveBlob.bind(client);
        const download = await stores.downloads.get(layer, fetch, listener, signal);
        release = download.release;
        progress.status(id, 'Download complete');
        return { path: download.path, offset: 0, length: layer.size };
      },
      async done(outcome) {
        await release?.({ keep: outcome === 'failed' });
      },
      // The uncompressed total is not known; the bar follows the compressed size as far as it goes.
      onProgress: (bytes) => progress.bar(id, 'Extracting', Math.min(bytes, layer.size), layer.size),
      onReady() {
        claim.hold(chainId);
        progress.status(id, 'Pull complete');
      },
    };
  });
}

const factOf = ({ digest, size, mediaType }: Descriptor, reference: Reference): LayerFact => ({
  digest,
  size,
  mediaType,
  repository: canonicalName(reference),
});

const manifestName = (reference: Reference) => reference.digest ?? reference.tag ?? 'latest';

/** `library/busybox` for the default registry, with the host for others. */
const familiarRepository = (reference: Reference) => reference.path;

import { notFound } from '@gantry/sdk';
import { canonicalName, familiarName, familiarString, type Reference } from '../reference/reference';
import type { Credentials } from '../registry/credentials';
import type { Download, DownloadListener } from '../registry/downloads';
import { chooseManifest, type Descriptor, type Manifest, parseManifest } from '../registry/manifests';
import { matchPlatform, type Platform } from '../registry/platform';
import { accessTo } from '../registry/registries';
import type { RepositoryClient } from '../registry/repository-client';
import { chainIds, sha256 } from '../store/digests';
import type { LayerFact } from '../store/distribution-facts';
import { parseImageFile } from '../store/image-config';
import type { StoredImage } from '../store/image-store';
import type { LayerSource } from '../store/layer-source';
import type { PullClaim } from '../store/unfinished-pulls';
import { publishImageEvent } from './image-events';
import { ProgressWriter } from './progress';
import { pullError } from './pull-errors';
import { otherPlatform } from './resolve';
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
  // All of it may be done again at the next endpoint: a mirror can have a manifest without having the layers.
  const pull = async (client: RepositoryClient) => {
    const isOne = reference.tag !== undefined || reference.digest !== undefined;
    const wanted = isOne ? [reference] : (await client.tags(signal)).map((tag) => ({ ...reference, tag }));
    let isNewer = false;
    for (const one of wanted)
      if (await pullOne(one, client, await client.headManifest(manifestName(one), signal), context)) isNewer = true;
    const shown = familiarString(reference);
    progress.send({ status: `Status: ${isNewer ? 'Downloaded newer image' : 'Image is up to date'} for ${shown}` });
    if (isOne) warnOfPlatform(context);
  };
  try {
    await stores.registries.connect(access, pull, signal);
  } catch (error) {
    throw pullError(error, reference);
  }
}

/** An image that exists for one platform alone is taken whatever was asked for; whoever asked is told. */
function warnOfPlatform({ reference, platform, stores, progress }: Context): void {
  const image = stores.images.get(stores.references.get(reference) ?? '');
  if (platform === undefined || image === undefined || matchPlatform(platform, image.file)) return;
  progress.send({ status: `WARNING: ${otherPlatform(image, familiarString(reference), platform)}` });
}

/** @returns whether the name stands for another image now */
async function pullOne(
  reference: Reference,
  client: RepositoryClient,
  digest: string | undefined,
  context: Context,
): Promise<boolean> {
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
  publishImageEvent(stores, 'pull', familiarString(reference), familiarName(reference), image);
  return before !== image.id;
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
  const diffIds = file.rootfs.diff_ids;
  if (diffIds.length !== layers.length)
    throw notFound(`${shown}: the manifest has ${layers.length} layers, the config ${diffIds.length}`);
  const claim = await stores.unfinishedPulls.begin(sha256(body), chainIds(diffIds));
  // Nothing of an image that is here already is fetched, so nothing is said of its layers.
  const isHere = stores.images.get(configDescriptor.digest) !== undefined;
  const tell: Context = isHere ? { ...context, progress: new ProgressWriter({ send() {}, isSlow: false }) } : context;
  let isKept = false;
  let held: string | undefined;
  try {
    held = await stores.layers.ensure(layerSources(diffIds, layers, client, claim, tell), signal);
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

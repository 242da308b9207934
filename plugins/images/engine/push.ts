import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { PassThrough, pipeline, Readable, Transform } from 'node:stream';
import { createGzip } from 'node:zlib';
import { EngineError, errorMessage, forbidden, notFound, systemError } from '@gantry/sdk';
import { readLayerArchive } from '../archive/layer-archive';
import { canonicalName, familiarName, familiarString, type Reference } from '../reference/reference';
import type { Credentials } from '../registry/credentials';
import { type Descriptor, mediaTypes } from '../registry/manifests';
import { accessTo } from '../registry/registries';
import { RegistryError } from '../registry/registry-error';
import type { RepositoryClient } from '../registry/repository-client';
import { Semaphore } from '../registry/semaphore';
import { sha256 } from '../store/digests';
import type { LayerFact } from '../store/distribution-facts';
import type { StoredImage } from '../store/image-store';
import type { LayerRecord } from '../store/layer-store';
import { publishImageEvent } from './image-events';
import type { ProgressWriter } from './progress';
import type { Stores } from './stores';

export interface PushRequest {
  /** Without tag = every tag of the repository. */
  readonly reference: Reference;
  readonly credentials: Credentials;
}

export interface PushContext extends PushRequest {
  readonly client: RepositoryClient;
  readonly stores: Stores;
  readonly progress: ProgressWriter;
  readonly signal: AbortSignal;
}

/**
 * Pushes a tag, or all tags of a repository.
 *
 * @throws not-found  no such tag here
 * @throws forbidden, system  the registry refuses, or cannot be reached
 */
export async function pushImage(
  request: PushRequest,
  stores: Stores,
  progress: ProgressWriter,
  signal: AbortSignal,
): Promise<void> {
  const { reference, credentials } = request;
  if (reference.digest !== undefined) throw systemError('cannot push a digest reference');
  // Before anything else, so that also a missing tag is told in the stream.
  progress.send({ status: `The push refers to repository [${canonicalName(reference)}]` });
  const tags = taggedImages(reference, stores);
  try {
    const access = accessTo(reference, credentials, 'pull,push');
    const { client } = await stores.registries.connect(access, (found) => found.ping(signal), signal);
    for (const [tag, image] of tags) await pushOne(tag, image, { ...request, client, stores, progress, signal });
  } catch (error) {
    throw pushError(error);
  }
}

function taggedImages(reference: Reference, stores: Stores): [Reference, StoredImage][] {
  const candidates = reference.tag === undefined ? stores.references.inRepository(reference) : [reference];
  const found: [Reference, StoredImage][] = [];
  for (const tag of candidates) {
    const id = tag.tag === undefined ? undefined : stores.references.get(tag);
    const image = id === undefined ? undefined : stores.images.get(id);
    if (image !== undefined) found.push([tag, image]);
  }
  if (found.length > 0) return found;
  if (stores.references.inRepository(reference).length === 0)
    throw notFound(`An image does not exist locally with the tag: ${familiarName(reference)}`);
  throw notFound(`tag does not exist: ${familiarString(reference)}`);
}

async function pushOne(tag: Reference, image: StoredImage, context: PushContext): Promise<void> {
  const { stores, progress } = context;
  const top = image.chainIds.at(-1);
  if (top !== undefined) stores.layers.hold(top);
  try {
    const layers = await pushLayers(image.chainIds, context);
    const manifest = await pushManifest(tag, image, layers, context);
    const digest = sha256(manifest);
    progress.send({ status: `${tag.tag}: digest: ${digest} size: ${manifest.length}` });
    progress.send({ progressDetail: {}, aux: { Tag: tag.tag, Digest: digest, Size: manifest.length } });
    await stores.references.set({ ...tag, tag: undefined, digest }, image.id);
    publishImageEvent(stores, 'push', familiarString(tag), familiarName(tag), image);
  } finally {
    if (top !== undefined) await stores.layers.release(top);
  }
}

async function pushManifest(
  tag: Reference,
  image: StoredImage,
  layers: readonly Descriptor[],
  { client, stores, signal }: PushContext,
): Promise<Buffer> {
  const config = await stores.images.config(image.id);
  await pushConfig(config, image.id, { client, signal });
  // A manifest that was pulled is pushed as it was, if its layers went as they were: the digest stays.
  const known = await sameManifest(image, layers, stores);
  const body =
    known ??
    Buffer.from(
      JSON.stringify(
        {
          schemaVersion: 2,
          mediaType: mediaTypes.dockerManifest,
          config: { mediaType: mediaTypes.dockerConfig, size: config.length, digest: image.id },
          layers: layers.map(({ mediaType, size, digest }) => ({ mediaType, size, digest })),
        },
        undefined,
        3,
      ),
    );
  const { mediaType } = JSON.parse(body.toString('utf8')) as { mediaType?: string };
  await client.putManifest(tag.tag!, mediaType ?? mediaTypes.ociManifest, body, signal);
  return body;
}

async function sameManifest(
  image: StoredImage,
  layers: readonly Descriptor[],
  stores: Stores,
): Promise<Buffer | undefined> {
  const wanted = layers.map(({ digest }) => digest).join();
  for (const digest of image.manifests) {
    const body = await stores.content.get(digest);
    if (body === undefined) continue;
    const value = JSON.parse(body.toString('utf8')) as { layers?: { digest: string }[] };
    if (value.layers?.map((layer) => layer.digest).join() === wanted) return body;
  }
  return undefined;
}

/** Sends a stack of layers, which somebody holds. @returns how the registry calls them, from the base upwards */
export async function pushLayers(chainIds: readonly string[], context: PushContext): Promise<readonly Descriptor[]> {
  const { stores, progress, signal, reference } = context;
  const records = chainIds.map((chainId) => stores.layers.get(chainId)!);
  const slots = new Semaphore(stores.settings.maxConcurrentUploads);
  for (const record of [...records].reverse()) progress.status(shortId(record), 'Preparing');
  const failed = new AbortController();
  const both = AbortSignal.any([signal, failed.signal]);
  // Every layer listens, which is no leak.
  setMaxListeners(0, both, failed.signal);
  // The same layer twice in a stack is sent once.
  const sent = new Map<string, Promise<Descriptor>>();
  for (const record of records) {
    if (sent.has(record.diffId)) continue;
    const work = pushLayer(record, slots, { ...context, signal: both });
    work.catch((error) => failed.abort(error));
    sent.set(record.diffId, work);
  }
  const results = await Promise.allSettled(sent.values());
  if (results.some((result) => result.status === 'rejected')) throw failed.signal.reason;
  const layers = await Promise.all(records.map((record) => sent.get(record.diffId)!));
  const repository = canonicalName(reference);
  const facts = records.map((record, index): [string, LayerFact] => {
    const { digest, size, mediaType } = layers[index]!;
    return [record.diffId, { digest, size, mediaType, repository }];
  });
  await stores.facts.add(new Map(facts), () => true);
  return layers;
}

/** Sends a config blob, unless the registry has it. */
export async function pushConfig(
  config: Buffer,
  digest: string,
  { client, signal }: Pick<PushContext, 'client' | 'signal'>,
): Promise<void> {
  if (await client.hasBlob(digest, signal)) return;
  const upload = await client.startUpload(undefined, signal);
  if (upload !== undefined) await client.finishUpload(upload, digest, config, signal);
}

async function pushLayer(record: LayerRecord, slots: Semaphore, context: PushContext): Promise<Descriptor> {
  const { client, reference, stores, progress, signal } = context;
  const id = shortId(record);
  const facts = stores.facts.of(record.diffId);
  const here = canonicalName(reference);
  if (slots.isFull) progress.status(id, 'Waiting');
  const free = await slots.acquire(signal);
  try {
    const own = [...facts].sort((a, b) => Number(b.repository === here) - Number(a.repository === here));
    for (const fact of own.slice(0, 3)) {
      if (!(await client.hasBlob(fact.digest, signal))) continue;
      progress.status(id, 'Layer already exists');
      return fact;
    }
    for (const fact of facts) {
      if (fact.repository === here || !fact.repository.startsWith(`${reference.domain}/`)) continue;
      const path = fact.repository.slice(reference.domain.length + 1);
      const upload = await client.startUpload({ digest: fact.digest, path }, signal).catch(refusedMount);
      if (upload === null) continue;
      if (upload !== undefined) return await sendLayer(record, upload, context);
      progress.status(id, `Mounted from ${path}`);
      return fact;
    }
    const upload = await client.startUpload(undefined, signal);
    if (upload === undefined) throw systemError(`${client.base.host} did not open an upload`);
    return await sendLayer(record, upload, context);
  } finally {
    free();
  }
}

async function sendLayer(record: LayerRecord, upload: URL, context: PushContext): Promise<Descriptor> {
  const { client, stores, progress, signal } = context;
  const id = shortId(record);
  const gzipped = { hash: createHash('sha256'), size: 0 };
  const open = () => {
    gzipped.hash = createHash('sha256');
    gzipped.size = 0;
    let read = 0;
    const counted = Readable.from(readLayerArchive(record, stores.layers), { objectMode: false });
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        read += chunk.length;
        progress.bar(id, 'Pushing', read, record.tarSizeBytes);
        done(null, chunk);
      },
    });
    const digester = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        gzipped.hash.update(chunk);
        gzipped.size += chunk.length;
        done(null, chunk);
      },
    });
    const out = new PassThrough({ highWaterMark: 1 << 20 });
    pipeline(counted, meter, createGzip({ chunkSize: 1 << 18, memLevel: 9 }), digester, out, () => {});
    return out;
  };
  const next = await client.sendChunk(upload, open, signal);
  const digest = `sha256:${gzipped.hash.digest('hex')}`;
  await client.finishUpload(next, digest, undefined, signal);
  progress.status(id, 'Pushed');
  return { digest, size: gzipped.size, mediaType: mediaTypes.dockerLayer };
}

/** A registry that does not let us mount still lets us send. */
function refusedMount(error: unknown): null {
  if (error instanceof RegistryError) return null;
  throw error;
}

/** A refusal of the registry with the status dockerd gives it. */
export function pushError(error: unknown): unknown {
  if (!(error instanceof EngineError)) return error;
  if (error instanceof RegistryError && (error.code === 'DENIED' || error.status === 403))
    return forbidden(errorMessage(error), error);
  return error;
}

const shortId = (record: LayerRecord) => record.diffId.slice('sha256:'.length, 'sha256:'.length + 12);

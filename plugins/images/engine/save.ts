import type { Writable } from 'node:stream';
import { invalidParameter, notFound, writeFully } from '@gantry/sdk';
import { sortedMap } from '@gantry/sdk/wire';
import { readLayerArchive } from '../archive/layer-archive';
import { legacyImages } from '../archive/legacy-images';
import { tarEnd, tarHeader, tarPadding } from '../archive/tar-writer';
import {
  canonicalString,
  familiarName,
  familiarString,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../reference/reference';
import { matchPlatform, type Platform, platformString } from '../registry/platform';
import { sha256 } from '../store/digests';
import type { StoredImage } from '../store/image-store';
import type { LayerRecord } from '../store/layer-store';
import { publishImageEvent } from './image-events';
import { isIdPrefix, isNotFound, resolveImage } from './resolve';
import type { Stores } from './stores';

export interface SavedArchive {
  /** Streams the archive. The layers are held from `saveImages` until this ends. */
  write(out: Writable, signal: AbortSignal): Promise<void>;
}

interface Selected {
  readonly image: StoredImage;
  readonly tags: readonly Reference[];
}

const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const ociLayer = 'application/vnd.oci.image.layer.v1.tar';
const ociConfig = 'application/vnd.oci.image.config.v1+json';
const epoch = new Date(0);

/**
 * Prepares an archive that is both an OCI layout and a docker archive. The same images give the same bytes.
 *
 * @param names references or ids; a repository name without tag means all its tags
 * @throws not-found  before anything is written
 */
export async function saveImages(
  names: readonly string[],
  platform: Platform | undefined,
  stores: Stores,
): Promise<SavedArchive> {
  const selected = select(names, stores);
  for (const { image } of selected)
    if (platform !== undefined && !matchPlatform(platform, image.file))
      throw notFound(`no suitable export target found for platform ${platformString(platform)}`);
  const plan = await describe(selected, stores);
  const held = selected.flatMap(({ image }) => image.chainIds.at(-1) ?? []);
  for (const chainId of held) stores.layers.hold(chainId);
  return {
    async write(out, signal) {
      try {
        await writeArchive(plan, stores, out, signal);
        for (const { image } of selected) publishImageEvent(stores, 'save', image.id, image.id, image);
      } finally {
        for (const chainId of held) await stores.layers.release(chainId);
      }
    },
  };
}

function select(names: readonly string[], stores: Stores): Selected[] {
  const wanted = names.filter((name) => name !== '');
  if (wanted.length === 0) throw invalidParameter('"docker save" requires at least 1 image');
  const byId = new Map<string, { image: StoredImage; tags: Map<string, Reference> }>();
  const add = (image: StoredImage, tag: Reference | undefined) => {
    const entry = byId.get(image.id) ?? { image, tags: new Map<string, Reference>() };
    byId.set(image.id, entry);
    if (tag !== undefined) entry.tags.set(canonicalString(tag), tag);
  };
  for (const name of wanted) {
    const repository = wholeRepository(name, stores);
    if (repository.length > 0) {
      for (const tag of repository) add(resolveImage(canonicalString(tag), stores), tag);
      continue;
    }
    const image = find(name, stores);
    const isReference = !isIdPrefix(image.id, name);
    const reference = isReference ? withDefaultTag(parseReference(name)) : undefined;
    add(image, reference?.digest === undefined ? reference : undefined);
  }
  return [...byId.values()].map(({ image, tags }) => ({ image, tags: [...tags.values()] }));
}

/** @throws not-found  in the words of the one who asked, without the tag that was added */
function find(name: string, stores: Stores): StoredImage {
  try {
    return resolveImage(name, stores);
  } catch (error) {
    throw isNotFound(error) ? notFound(`No such image: ${name}`, error) : error;
  }
}

function wholeRepository(name: string, stores: Stores): Reference[] {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(name)) return [];
  const reference = parseReference(name);
  if (reference.tag !== undefined || reference.digest !== undefined) return [];
  const tags = stores.references.inRepository(reference).filter((item) => item.digest === undefined);
  return tags.sort((a, b) => (canonicalString(a) < canonicalString(b) ? -1 : 1));
}

interface Plan {
  /** Small files by name. */
  readonly documents: Map<string, Buffer>;
  /** Layer archives by name. */
  readonly layers: Map<string, LayerRecord>;
  /** When the image was made to which a file or folder belongs; the epoch for what is not here. */
  readonly times: Map<string, Date>;
}

async function describe(selected: readonly Selected[], stores: Stores): Promise<Plan> {
  const documents = new Map<string, Buffer>();
  const layers = new Map<string, LayerRecord>();
  const times = new Map<string, Date>();
  const index: unknown[] = [];
  const list: unknown[] = [];
  const repositories: Record<string, Record<string, string>> = {};
  const isSelected = (id: string | undefined) => selected.some(({ image }) => image.id === id);
  for (const { image, tags } of selected) {
    const config = await stores.images.config(image.id);
    const records = image.chainIds.map((chainId) => stores.layers.get(chainId)!);
    const created = new Date(image.file.created ?? 0);
    const add = (name: string, document?: Buffer) => {
      if (document !== undefined) documents.set(name, document);
      times.set(name, created);
    };
    add('blobs/');
    add(blob(image.id), config);
    for (const document of legacyImages(config, image.file.rootfs.diff_ids)) add(blob(sha256(document)), document);
    for (const record of records) {
      layers.set(blob(record.diffId), record);
      add(blob(record.diffId));
    }
    const descriptors = records.map(({ diffId, tarSizeBytes }) => ({
      mediaType: ociLayer,
      digest: diffId,
      size: tarSizeBytes,
    }));
    const manifest = json({
      schemaVersion: 2,
      mediaType: ociManifest,
      config: { mediaType: ociConfig, digest: image.id, size: config.length },
      layers: descriptors,
    });
    const digest = sha256(manifest);
    documents.set(blob(digest), manifest);
    const descriptor = { mediaType: ociManifest, digest, size: manifest.length };
    if (tags.length === 0) index.push(descriptor);
    for (const tag of tags) {
      const annotations = {
        'io.containerd.image.name': canonicalString(tag),
        'org.opencontainers.image.ref.name': tag.tag,
      };
      index.push({ ...descriptor, annotations });
      const top = records.at(-1)?.diffId ?? image.id;
      repositories[familiarName(tag)] = sortedMap({ ...repositories[familiarName(tag)], [tag.tag!]: hex(top) });
    }
    list.push({
      Config: blob(image.id),
      RepoTags: tags.length > 0 ? tags.map(familiarString) : null,
      Layers: records.map((record) => blob(record.diffId)),
      ...(isSelected(image.parent) ? { Parent: image.parent } : {}),
      LayerSources: sortedMap(
        Object.fromEntries(descriptors.map(({ mediaType, size, digest }) => [digest, { mediaType, size, digest }])),
      ),
    });
  }
  const indexType = 'application/vnd.oci.image.index.v1+json';
  documents.set('index.json', json({ schemaVersion: 2, mediaType: indexType, manifests: index }));
  documents.set('manifest.json', line(list));
  documents.set('oci-layout', Buffer.from('{"imageLayoutVersion": "1.0.0"}'));
  if (Object.keys(repositories).length > 0) documents.set('repositories', line(sortedMap(repositories)));
  return { documents, layers, times };
}

async function writeArchive(
  { documents, layers, times }: Plan,
  stores: Stores,
  out: Writable,
  signal: AbortSignal,
): Promise<void> {
  const names = ['blobs/', 'blobs/sha256/', ...documents.keys(), ...layers.keys()].sort();
  for (const name of names) {
    const document = documents.get(name);
    const layer = layers.get(name);
    const size = document?.length ?? layer?.tarSizeBytes ?? 0;
    await writeFully(out, tarHeader(name, size, times.get(name) ?? epoch), signal);
    if (document !== undefined) await writeFully(out, document, signal);
    else if (layer !== undefined)
      for await (const chunk of readLayerArchive(layer, stores.layers)) await writeFully(out, chunk, signal);
    await writeFully(out, tarPadding(size), signal);
  }
  await writeFully(out, tarEnd(), signal);
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const line = (value: unknown) => Buffer.from(`${JSON.stringify(value)}\n`);
const hex = (digest: string) => digest.slice('sha256:'.length);
const blob = (digest: string) => `blobs/sha256/${hex(digest)}`;

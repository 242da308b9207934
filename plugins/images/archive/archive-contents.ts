import { invalidParameter, notFound } from '@gantry/sdk';
import { isDigest, parseReference, type Reference } from '../reference/reference';
import { hostPlatform, matchPlatform, type Platform, platformString } from '../registry/platform';
import { sha256 } from '../store/digests';
import { isObject, parseImageFile } from '../store/image-config';
import type { FileRange } from '../unpack/decompress';
import type { ArchiveFile } from './archive-file';

/** One image of an archive, ready to be unpacked. */
export interface ArchivedImage {
  readonly config: Buffer;
  /** The manifest blob, in an OCI layout. */
  readonly manifest?: Buffer;
  /** From the base upwards, as many as the config has diffIDs. */
  readonly layers: readonly FileRange[];
  readonly tags: readonly Reference[];
  /** Id of the image it was made from, which may be in the same archive. */
  readonly parent?: string;
}

const indexTypes = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);

/**
 * The images of a `docker save` archive or an OCI layout.
 *
 * @param platform only images for it; undefined = all of a docker archive, the machine's own of an index
 * @throws invalid-parameter  neither of the two, or parts are missing
 */
export async function readArchive(archive: ArchiveFile, platform: Platform | undefined): Promise<ArchivedImage[]> {
  if (archive.find('manifest.json') !== undefined) return readDockerArchive(archive, platform);
  if (archive.find('index.json') !== undefined) return readOciLayout(archive, platform);
  throw invalidParameter('invalid archive: does not contain a manifest.json');
}

async function readDockerArchive(archive: ArchiveFile, platform: Platform | undefined): Promise<ArchivedImage[]> {
  const list = await archive.readJson('manifest.json');
  if (!Array.isArray(list)) throw invalidParameter('invalid archive: manifest.json is not a list');
  const images: ArchivedImage[] = [];
  for (const item of list) {
    if (!isObject(item) || typeof item.Config !== 'string' || !isTextList(item.Layers ?? []))
      throw invalidParameter('invalid archive: manifest.json holds a malformed entry');
    const config = await archive.read(item.Config);
    const tags = (item.RepoTags ?? []) as unknown;
    if (!isTextList(tags)) throw invalidParameter('invalid archive: RepoTags is not a list of strings');
    const layers = (item.Layers ?? []) as string[];
    const parent = typeof item.Parent === 'string' && item.Parent !== '' ? { parent: item.Parent } : {};
    const image = { ...complete(config, locate(archive, layers), tags.map(parseTag)), ...parent };
    if (platform === undefined || matchPlatform(platform, parseImageFile(config))) images.push(image);
  }
  if (images.length === 0 && list.length > 0) throw noneFor(platform!);
  return images;
}

async function readOciLayout(archive: ArchiveFile, platform: Platform | undefined): Promise<ArchivedImage[]> {
  const index = await archive.readJson('index.json');
  if (!isObject(index)) throw invalidParameter('invalid archive: index.json is not an object');
  const images: ArchivedImage[] = [];
  for (const descriptor of descriptors(index.manifests)) {
    const image = await readDescriptor(archive, descriptor, platform);
    if (image !== undefined) images.push({ ...image, tags: tagsOf(descriptor) });
  }
  if (images.length === 0) throw noneFor(platform ?? { os: 'linux', architecture: 'any' });
  return images;
}

async function readDescriptor(
  archive: ArchiveFile,
  descriptor: Descriptor,
  platform: Platform | undefined,
): Promise<ArchivedImage | undefined> {
  const blob = await readBlob(archive, descriptor.digest);
  const manifest = parseJson(blob, descriptor.digest);
  if (indexTypes.has(descriptor.mediaType ?? '') || Array.isArray(manifest.manifests)) {
    const found: ArchivedImage[] = [];
    for (const child of descriptors(manifest.manifests)) {
      // Attestations and platforms that were left out of the archive.
      if (child.platform?.os === 'unknown' || archive.find(blobPath(child.digest)) === undefined) continue;
      const image = await readDescriptor(archive, child, undefined);
      if (image !== undefined) found.push(image);
    }
    return bestFor(found, platform);
  }
  const configDigest = isObject(manifest.config) ? manifest.config.digest : undefined;
  if (typeof configDigest !== 'string') throw invalidParameter(`invalid archive: ${descriptor.digest} has no config`);
  const config = await readBlob(archive, configDigest);
  const layers = descriptors(manifest.layers).map((layer) => blobPath(layer.digest));
  if (platform !== undefined && !matchPlatform(platform, parseImageFile(config))) return undefined;
  return { ...complete(config, locate(archive, layers), []), manifest: blob };
}

function bestFor(images: readonly ArchivedImage[], platform: Platform | undefined): ArchivedImage | undefined {
  const wanted = platform ?? hostPlatform();
  const match = images.find((image) => matchPlatform(wanted, parseImageFile(image.config)));
  return match ?? (platform === undefined && images.length === 1 ? images[0] : undefined);
}

function complete(config: Buffer, layers: readonly FileRange[], tags: readonly Reference[]): ArchivedImage {
  const expected = parseImageFile(config).rootfs.diff_ids.length;
  if (layers.length !== expected)
    throw invalidParameter(`invalid manifest, layers length mismatch: expected ${expected}, got ${layers.length}`);
  return { config, layers, tags };
}

function locate(archive: ArchiveFile, names: readonly string[]): FileRange[] {
  return names.map((name) => {
    const range = archive.find(name);
    if (range === undefined) throw invalidParameter(`invalid archive: it does not contain ${name}`);
    return range;
  });
}

interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly platform?: { readonly os?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

function descriptors(value: unknown): Descriptor[] {
  if (!Array.isArray(value)) throw invalidParameter('invalid archive: a list of descriptors is missing');
  for (const item of value)
    if (!isObject(item) || typeof item.digest !== 'string' || !isDigest(item.digest))
      throw invalidParameter('invalid archive: a descriptor without a digest');
  return value as Descriptor[];
}

async function readBlob(archive: ArchiveFile, digest: string): Promise<Buffer> {
  const blob = await archive.read(blobPath(digest));
  if (digest.startsWith('sha256:') && sha256(blob) !== digest)
    throw invalidParameter(`invalid archive: the content of blob ${digest} does not match its digest`);
  return blob;
}

function parseJson(blob: Buffer, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(blob.toString('utf8'));
    if (isObject(value)) return value;
  } catch {
    // Told below.
  }
  throw invalidParameter(`invalid archive: ${name} is not a JSON object`);
}

function tagsOf(descriptor: Descriptor): Reference[] {
  const { annotations } = descriptor;
  const name = annotations?.['io.containerd.image.name'];
  if (name !== undefined) return [parseTag(name)];
  const short = annotations?.['org.opencontainers.image.ref.name'];
  // By the specification this is often a mere tag, which names no repository.
  return short?.match(/[/:]/) ? [parseTag(short)] : [];
}

function parseTag(text: string): Reference {
  const reference = parseReference(text);
  if (reference.tag === undefined) throw invalidParameter(`invalid tag "${text}"`);
  return { ...reference, digest: undefined };
}

const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

const blobPath = (digest: string) => `blobs/${digest.replace(':', '/')}`;

const noneFor = (platform: Platform) =>
  notFound(`no image in the archive is for the platform ${platformString(platform)}`);

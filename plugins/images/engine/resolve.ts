import { EngineError, invalidParameter, notFound } from '@gantry/sdk';
import { familiarString, parseReference, type Reference, withDefaultTag } from '../reference/reference';
import { matchPlatform, type Platform, platformString } from '../registry/platform';
import type { StoredImage } from '../store/image-store';
import type { Stores } from './stores';

/**
 * Finds an image as users name it.
 *
 * @param name `name`, `name:tag`, `name@digest`, `sha256:…`, full id or unique prefix of it
 * @throws not-found          `No such image: name:tag`
 * @throws invalid-parameter  the name cannot be parsed
 */
export function resolveImage(name: string, stores: Pick<Stores, 'images' | 'references'>): StoredImage {
  const { images, references } = stores;
  const hex = name.startsWith('sha256:') ? name.slice('sha256:'.length) : name;
  if (/^[0-9a-f]{64}$/.test(hex)) {
    const image = images.get(`sha256:${hex}`);
    if (image === undefined) throw noSuchImage(name);
    return image;
  }
  let reference: Reference;
  try {
    reference = parseReference(name);
  } catch (error) {
    if (name.startsWith('sha256:')) throw noSuchImage(name);
    throw error;
  }
  const id = references.get(reference);
  const named = id === undefined ? undefined : images.get(id);
  if (named !== undefined) {
    // With a tag beside the digest, both must be true of the image.
    if (reference.digest === undefined || reference.tag === undefined) return named;
    const tagged = references.get({ ...reference, digest: undefined });
    if (tagged === undefined || tagged === id) return named;
  }
  if (/^[0-9a-f]{1,64}$/.test(hex)) {
    const matches = images.list().filter((image) => image.id.startsWith(`sha256:${hex}`));
    if (matches.length === 1) return matches[0]!;
    if (matches.length > 1) throw notFound(`No such image: ${name}: the id prefix is not unique`);
  }
  throw noSuchImage(familiarString(withDefaultTag(reference)));
}

/** @throws not-found  the image is for another platform than the one asked for */
export function assertPlatform(image: StoredImage, name: string, platform: Platform | undefined): void {
  if (platform === undefined || matchPlatform(platform, image.file)) return;
  throw notFound(otherPlatform(image, name, platform));
}

/** What is wrong with an image for another platform than the one asked for. */
export function otherPlatform({ file }: StoredImage, name: string, wanted: Platform): string {
  const own = platformString({ os: file.os, architecture: file.architecture, variant: file.variant });
  return `image with reference ${name} was found but its platform (${own}) does not match the specified platform (${platformString(wanted)})`;
}

/** True when `text` names the image by id or the beginning of it, rather than by reference. */
export function isIdPrefix(imageId: string, text: string): boolean {
  return text !== '' && (imageId.startsWith(text) || imageId.slice('sha256:'.length).startsWith(text));
}

/** A repository name with a tag, never a digest. @throws invalid-parameter */
export function parseTagTarget(repository: string, tag: string): Reference {
  const reference = parseReference(repository);
  if (reference.digest !== undefined) throw invalidParameter('refusing to create a tag with a digest reference');
  return withDefaultTag(tag === '' ? reference : { ...reference, tag: parseReference(`name:${tag}`).tag });
}

export const isNotFound = (error: unknown) => error instanceof EngineError && error.kind === 'not-found';

const noSuchImage = (name: string) => notFound(`No such image: ${name}`);

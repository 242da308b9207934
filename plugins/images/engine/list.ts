import { familiarName, familiarString, parseReference, type Reference } from '../reference/reference';
import type { StoredImage } from '../store/image-store';
import { booleanFilter, type Filters, matchLabels, parseTimestamp } from './filters';
import { assertGlob, globMatch } from './glob-match';
import { resolveImage } from './resolve';
import type { Stores } from './stores';

export interface ListedImage {
  readonly image: StoredImage;
  readonly tags: readonly Reference[];
  readonly digests: readonly Reference[];
  /** Bytes of layers that other images have too; undefined when not asked for. */
  readonly sharedBytes: number | undefined;
}

export interface ListOptions {
  /** Also images that are only parents of others. */
  readonly all: boolean;
  readonly filters: Filters;
  readonly sharedSize: boolean;
}

/** Images, newest first. */
export function listImages(options: ListOptions, stores: Stores): ListedImage[] {
  const { filters } = options;
  const danglingOnly = booleanFilter(filters, 'dangling');
  const wanted = imageFilter(filters, stores);
  const patterns = filters.get('reference') ?? [];
  patterns.forEach(assertGlob);
  const shared = options.sharedSize ? layerUse(stores.images.list()) : undefined;
  const found: ListedImage[] = [];
  for (const image of stores.images.list()) {
    if (!wanted(image)) continue;
    const references = stores.references.of(image.id);
    if (references.length === 0) {
      if (danglingOnly === false || patterns.length > 0) continue;
      if (!options.all && stores.images.childrenOf(image.id).length > 0) continue;
    } else if (danglingOnly === true) continue;
    const shown = patterns.length === 0 ? references : references.filter((item) => matchesAny(item, patterns));
    if (references.length > 0 && shown.length === 0) continue;
    found.push({
      image,
      tags: shown.filter((reference) => reference.digest === undefined),
      digests: shown.filter((reference) => reference.digest !== undefined),
      sharedBytes: shared === undefined ? undefined : sharedBytes(image, shared, stores),
    });
  }
  return found.sort((a, b) => createdAt(b.image) - createdAt(a.image));
}

/** Milliseconds since the epoch; 0 when the image does not tell. */
export function createdAt(image: StoredImage): number {
  const time = Date.parse(image.file.created ?? '');
  return Number.isNaN(time) ? 0 : time;
}

/** The filters that look at an image alone: label, before, since, until. */
export function imageFilter(filters: Filters, stores: Stores): (image: StoredImage) => boolean {
  const times = (name: string) => (filters.get(name) ?? []).map((text) => createdAt(resolveImage(text, stores)));
  const before = Math.min(...times('before'));
  const since = Math.max(...times('since'));
  const until = Math.min(...(filters.get('until') ?? []).map((text) => parseTimestamp(text, new Date()).getTime()));
  return (image) => {
    const created = createdAt(image);
    return created < before && created > since && created < until && matchLabels(filters, image.file.config.Labels);
  };
}

/** How many images contain each layer. */
export function layerUse(images: readonly StoredImage[]): ReadonlyMap<string, number> {
  const use = new Map<string, number>();
  for (const { chainIds } of images) for (const chainId of chainIds) use.set(chainId, (use.get(chainId) ?? 0) + 1);
  return use;
}

export function sharedBytes(image: StoredImage, use: ReadonlyMap<string, number>, stores: Stores): number {
  let total = 0;
  for (const chainId of image.chainIds)
    if ((use.get(chainId) ?? 0) > 1) total += stores.layers.get(chainId)?.sizeBytes ?? 0;
  return total;
}

function matchesAny(reference: Reference, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const text = familiarString(reference);
    if (globMatch(pattern, text) || globMatch(pattern, familiarName(reference))) return true;
    // `docker.io/library/busybox` means the familiar `busybox`.
    try {
      return familiarString(parseReference(pattern)) === text;
    } catch {
      return false;
    }
  });
}

import { familiarString, type Reference } from '../reference/reference';
import type { StoredImage } from '../store/image-store';
import { publishImageEvent } from './image-events';
import type { Stores } from './stores';

/** Points a tag at an image; whatever it named before loses it. Repeatable. Part of a `stores.change`. */
export async function tagImage(image: StoredImage, tag: Reference, stores: Stores): Promise<void> {
  await stores.references.set(tag, image.id);
  await stores.images.markTagged(image.id, new Date());
  publishImageEvent(stores, 'tag', image.id, familiarString(tag), image);
}

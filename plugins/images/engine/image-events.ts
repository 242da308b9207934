import { familiarString, parseReference } from '../reference/reference';
import type { StoredImage } from '../store/image-store';
import type { Stores } from './stores';

export type ImageAction = 'pull' | 'push' | 'load' | 'import' | 'tag' | 'untag' | 'delete' | 'save' | 'create';

/**
 * Publishes an image event as dockerd words it: the actor is what the user named, its labels are attributes.
 *
 * @param actorId image id, or the familiar reference for `pull` and `push`
 */
export function publishImageEvent(
  stores: Pick<Stores, 'events'>,
  action: ImageAction,
  actorId: string,
  name: string,
  image: StoredImage | undefined,
): void {
  const attributes: Record<string, string> = { ...image?.file.config.Labels };
  if (name !== '') attributes.name = name;
  stores.events.publish({ type: 'image', action, actor: { id: actorId, attributes } });
}

/** `name:tag` as events show it. */
export const eventName = (text: string) => familiarString(parseReference(text));

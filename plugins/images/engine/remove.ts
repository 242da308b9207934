import { conflict } from '@gantry/sdk';
import { canonicalName, familiarString, parseReference, type Reference, withDefaultTag } from '../reference/reference';
import type { StoredImage } from '../store/image-store';
import { publishImageEvent } from './image-events';
import { isIdPrefix, resolveImage } from './resolve';
import type { Stores } from './stores';

export type RemovalRecord = { readonly Untagged: string } | { readonly Deleted: string };

interface RemoveOptions {
  readonly force: boolean;
  /** Also remove parents that nothing needs any more. */
  readonly prune: boolean;
}

interface Conflict {
  readonly message: string;
  readonly hard: boolean;
  /** A container is the reason. */
  readonly used: boolean;
}

/**
 * Removes a reference, and the image with its last one.
 *
 * @param name reference, id or id prefix
 * @returns what was untagged and deleted, in order
 * @throws not-found
 * @throws conflict   a container or a child image needs it, or an id has several references and force is off
 */
export function removeImage(name: string, options: RemoveOptions, stores: Stores): Promise<RemovalRecord[]> {
  return stores.references.whileRemoving(() => remove(name, options, stores));
}

async function remove(name: string, options: RemoveOptions, stores: Stores): Promise<RemovalRecord[]> {
  const image = resolveImage(name, stores);
  const records: RemovalRecord[] = [];
  let quiet = false;
  const references = stores.references.of(image.id);
  if (isIdPrefix(image.id, name)) {
    if (isSingle(references)) {
      const found = findConflict(image, { soft: !options.force, references: false }, stores);
      if (found !== undefined) throw conflictError(image, found);
      for (const reference of references) await untag(reference, image, records, stores);
    }
  } else {
    const remaining = await removeReference(name, image, references, options, records, stores);
    if (remaining.length > 0) return records;
    quiet = true;
  }
  await deleteImage(image, options, quiet, records, stores);
  return records;
}

/** Deletes an image with its remaining references. @throws conflict, unless `quiet` allows to leave it */
export async function deleteImage(
  image: StoredImage,
  options: RemoveOptions,
  quiet: boolean,
  records: RemovalRecord[],
  stores: Stores,
): Promise<void> {
  const found = findConflict(image, { soft: !options.force, references: !options.force }, stores);
  if (found !== undefined) {
    const dangling = stores.references.of(image.id).length === 0 && stores.images.childrenOf(image.id).length === 0;
    if (quiet && (!dangling || found.used)) return;
    throw conflictError(image, found);
  }
  const removedLayers = await stores.references.whileRemoving(async () => {
    for (const reference of stores.references.of(image.id)) await untag(reference, image, records, stores);
    return stores.images.remove(image.id);
  });
  // It is gone, and its labels with it.
  publishImageEvent(stores, 'delete', image.id, image.id, undefined);
  records.push({ Deleted: image.id }, ...removedLayers.map((chainId) => ({ Deleted: chainId })));
  const parent = image.parent === undefined ? undefined : stores.images.get(image.parent);
  if (options.prune && parent !== undefined)
    await deleteImage(parent, { force: false, prune: true }, true, records, stores);
}

async function removeReference(
  name: string,
  image: StoredImage,
  references: readonly Reference[],
  options: RemoveOptions,
  records: RemovalRecord[],
  stores: Stores,
): Promise<Reference[]> {
  const [user] = stores.users.containersUsing(image.id);
  if (!options.force && isSingle(references) && user !== undefined)
    throw conflict(
      `conflict: unable to remove repository reference "${name}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${shortId(image)}`,
    );
  const reference = withDefaultTag(parseReference(name));
  await untag(reference, image, records, stores);
  const remaining = stores.references.of(image.id);
  if (reference.digest !== undefined) return remaining;
  const sameName = (other: Reference) => canonicalName(other) === canonicalName(reference);
  if (remaining.some((other) => other.digest === undefined && sameName(other))) return remaining;
  // Without a tag left in the repository its digests mean nothing to users.
  for (const other of remaining)
    if (sameName(other)) {
      await stores.references.delete(other);
      records.push({ Untagged: familiarString(other) });
    }
  return stores.references.of(image.id);
}

async function untag(
  reference: Reference,
  image: StoredImage,
  records: RemovalRecord[],
  stores: Stores,
): Promise<void> {
  await stores.references.delete(reference);
  publishImageEvent(stores, 'untag', image.id, image.id, image);
  records.push({ Untagged: familiarString(reference) });
}

function findConflict(
  image: StoredImage,
  check: { readonly soft: boolean; readonly references: boolean },
  stores: Stores,
): Conflict | undefined {
  if (stores.images.childrenOf(image.id).length > 0)
    return { message: 'image has dependent child images', hard: true, used: false };
  if (stores.leases.has(image.id)) return { message: 'image is being used by a build', hard: true, used: true };
  const users = stores.users.containersUsing(image.id);
  const running = users.find((user) => user.running);
  if (running !== undefined)
    return {
      message: `image is being used by running container ${running.id.slice(0, 12)}`,
      hard: true,
      used: true,
    };
  if (check.references && stores.references.of(image.id).length > 0)
    return { message: 'image is referenced in multiple repositories', hard: false, used: false };
  if (check.soft && users[0] !== undefined)
    return {
      message: `image is being used by stopped container ${users[0].id.slice(0, 12)}`,
      hard: false,
      used: true,
    };
  return undefined;
}

/** All references are of one repository, with at most one tag. */
function isSingle(references: readonly Reference[]): boolean {
  if (references.length === 0) return false;
  const tags = references.filter((reference) => reference.digest === undefined);
  return tags.length <= 1 && new Set(references.map(canonicalName)).size === 1;
}

function conflictError(image: StoredImage, found: Conflict): Error {
  const force = found.hard ? 'cannot be forced' : 'must be forced';
  return conflict(`conflict: unable to delete ${shortId(image)} (${force}) - ${found.message}`);
}

const shortId = (image: StoredImage) => image.id.slice('sha256:'.length, 'sha256:'.length + 12);

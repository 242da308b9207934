import { EngineError } from '@gantry/sdk';
import { familiarString, type Reference } from '../reference/reference';
import { booleanFilter, type Filters } from './filters';
import { imageFilter } from './list';
import { deleteImage, type RemovalRecord, removeImage } from './remove';
import type { Stores } from './stores';

/**
 * Removes images no container uses: dangling ones, or with `dangling=false` also tagged ones. Those in use lose then
 * the names they do not need.
 *
 * @returns what was removed and the bytes of the layers that went with it
 */
export async function pruneImages(
  filters: Filters,
  stores: Stores,
  signal: AbortSignal,
): Promise<{ records: RemovalRecord[]; reclaimedBytes: number }> {
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const wanted = imageFilter(filters, stores);
  const sizes = new Map(stores.layers.list().map((layer) => [layer.chainId, layer.sizeBytes]));
  const records: RemovalRecord[] = [];
  for (const image of stores.images.list()) {
    if (signal.aborted) break;
    // Removed as somebody's parent meanwhile.
    if (stores.images.get(image.id) === undefined || !wanted(image)) continue;
    const references = stores.references.of(image.id);
    const used = stores.users.containersUsing(image.id).length > 0;
    if (danglingOnly && (used || references.length > 0)) continue;
    if (stores.images.childrenOf(image.id).length > 0) continue;
    try {
      await stores.change(async () => {
        if (used) {
          await untagAllButOne(references, records, stores);
          return;
        }
        const names = stores.references.of(image.id).length;
        // It got a name while this waited.
        if (names > references.length || stores.images.get(image.id) === undefined) return;
        await deleteImage(image, { force: true, prune: true }, true, records, stores);
      });
    } catch (error) {
      // A container took it meanwhile.
      if (!(error instanceof EngineError && error.kind === 'conflict')) throw error;
    }
  }
  // What pulls that did not end have left for their next attempt.
  const isWhole = [...filters.keys()].every((name) => name === 'dangling');
  const removed = isWhole ? await stores.unfinishedPulls.prune() : [];
  let reclaimedBytes = isWhole ? await stores.downloads.discard() : 0;
  for (const chainId of removed) reclaimedBytes += sizes.get(chainId) ?? 0;
  for (const record of records) if ('Deleted' in record) reclaimedBytes += sizes.get(record.Deleted) ?? 0;
  stores.events.publish({
    type: 'image',
    action: 'prune',
    actor: { id: '', attributes: { reclaimed: String(reclaimedBytes) } },
  });
  return { records, reclaimedBytes };
}

/** What a container uses stays under one name, the last in order that a removal without force leaves. */
async function untagAllButOne(
  references: readonly Reference[],
  records: RemovalRecord[],
  stores: Stores,
): Promise<void> {
  for (const reference of references)
    try {
      records.push(...(await removeImage(familiarString(reference), { force: false, prune: true }, stores)));
    } catch (error) {
      // It is the name the container needs, or it went with the one before.
      if (!(error instanceof EngineError && ['conflict', 'not-found'].includes(error.kind))) throw error;
    }
}

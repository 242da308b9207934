import { familiarString } from '../reference/reference';
import type { StoredImage } from '../store/image-store';
import type { Stores } from './stores';

/** One row of GET /images/{name}/history, newest first. */
export function imageHistory(image: StoredImage, stores: Stores): Record<string, unknown>[] {
  let layer = 0;
  const rows = image.file.history.map((entry) => {
    const chainId = entry.empty_layer ? undefined : image.chainIds[layer++];
    return {
      Id: '<missing>',
      Created: seconds(entry.created),
      CreatedBy: entry.created_by ?? '',
      Tags: null as string[] | null,
      Size: chainId === undefined ? 0 : (stores.layers.get(chainId)?.sizeBytes ?? 0),
      Comment: entry.comment ?? '',
    };
  });
  rows.reverse();
  // Images built here know their parents; their rows carry the parents' names.
  for (let index = 0, at: StoredImage | undefined = image; at !== undefined && rows[index] !== undefined; index++) {
    const tags = stores.references.of(at.id).filter((reference) => reference.digest === undefined);
    rows[index] = { ...rows[index]!, Id: at.id, Tags: tags.length > 0 ? tags.map(familiarString) : null };
    at = at.parent === undefined ? undefined : stores.images.get(at.parent);
  }
  return rows;
}

function seconds(created: string | undefined): number {
  const time = Date.parse(created ?? '');
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}

import { conflict, type EventBus, errorKind, errorMessage, type Logger } from '@gantry/sdk';
import { type Filters, matches } from './api/volume-filters';
import { treeSize } from './tree-size';
import { anonymousLabel, defaultDriver, type VolumeStore } from './volume-store';

export interface PruneDeps {
  readonly events: EventBus;
  readonly log: Logger;
  /** Set while a prune runs: there is one at a time. */
  running?: boolean;
}

/**
 * Removes volumes of the local driver that no container refers to. Those with driver options are kept: their data is
 * elsewhere.
 *
 * @param all  also volumes that the user named
 * @throws conflict  another prune is running
 */
export async function pruneVolumes(
  store: VolumeStore,
  deps: PruneDeps,
  filters: Filters,
  all: boolean,
  signal?: AbortSignal,
): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  if (deps.running) throw conflict('a prune operation is already running');
  deps.running = true;
  try {
    const deleted: string[] = [];
    let reclaimedBytes = 0;
    const { volumes } = await store.list(signal);
    for (const volume of volumes) {
      if (signal?.aborted) break;
      if (volume.driver !== defaultDriver || volume.options !== undefined) continue;
      if (!all && !Object.hasOwn(volume.labels ?? {}, anonymousLabel)) continue;
      if (!matches(filters, volume) || store.referencedBy(volume.name).length > 0) continue;
      try {
        const size = await treeSize(volume.mountpoint, signal);
        await store.remove(volume.name, { force: false }, signal);
        reclaimedBytes += size;
        deleted.push(volume.name);
      } catch (error) {
        if (errorKind(error) === 'cancelled') break;
        deps.log.warn('cannot prune a volume', { volume: volume.name, error: errorMessage(error) });
      }
    }
    deps.events.publish({
      type: 'volume',
      action: 'prune',
      actor: { id: '', attributes: { reclaimed: String(reclaimedBytes) } },
    });
    return { deleted, reclaimedBytes };
  } finally {
    deps.running = false;
  }
}

import type { DriverSet, SystemInfo, VolumeDriver, VolumeSummary } from '@gantry/sdk';
import { renderVolume } from './api/render-volume';
import { treeSize } from './tree-size';
import { defaultDriver, type VolumeStore } from './volume-store';

const countersAtOnce = 2;

/** What GET /info and GET /system/df show of volumes. */
export function volumeInfo(store: VolumeStore, drivers: DriverSet<VolumeDriver>): SystemInfo {
  return {
    info: () => ({ Plugins: { Volume: drivers.names() } }),
    async diskUsage(types) {
      if (!types.has('volume')) return {};
      const { volumes } = await store.list();
      // A volume with driver options has its data elsewhere.
      const own = volumes.filter((volume) => volume.driver === defaultDriver && volume.options === undefined);
      return { Volumes: await measureAll(store, own) };
    },
  };
}

async function measureAll(store: VolumeStore, volumes: readonly VolumeSummary[]): Promise<Record<string, unknown>[]> {
  const rendered: Record<string, unknown>[] = new Array(volumes.length);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < volumes.length; index = next++) {
      const volume = volumes[index]!;
      const sizeBytes = await treeSize(volume.mountpoint).catch(() => -1);
      rendered[index] = renderVolume(volume, { sizeBytes, references: store.referencedBy(volume.name).length });
    }
  };
  await Promise.all(Array.from({ length: countersAtOnce }, worker));
  return rendered;
}

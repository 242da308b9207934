import type { DriverSet, SystemInfo, VolumeDriver, VolumeSummary } from '@gantry/sdk';
import { renderVolume } from './api/render-volume';
import { treeSizes } from './tree-size';
import { defaultDriver, type VolumeStore } from './volume-store';

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
  const sizes = await treeSizes(volumes.map(({ mountpoint }) => mountpoint)).catch(() => undefined);
  return volumes.map((volume, index) =>
    renderVolume(volume, {
      sizeBytes: sizes?.[index] ?? -1,
      references: store.referencedBy(volume.name).length,
    }),
  );
}

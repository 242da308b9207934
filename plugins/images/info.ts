import type { DaemonSettings, SystemInfo } from '@gantry/sdk';
import { layerUse, listImages, sharedBytes } from './engine/list';
import type { Stores } from './engine/stores';
import { registryInfo } from './registry/endpoints';
import { nullIfEmpty, renderSummary } from './routes/render-image';

const noFilters = new Map<string, readonly string[]>();

/** What images add to GET /info and /system/df. */
export function imageSystemInfo(stores: Stores, settings: DaemonSettings): SystemInfo {
  return {
    async info() {
      return {
        Driver: stores.storageDriver,
        DriverStatus: await stores.snapshotter.status(),
        Images: stores.images.size,
        RegistryConfig: registryInfo(settings),
        IndexServerAddress: 'https://index.docker.io/v1/',
      };
    },
    async diskUsage(types) {
      if (!types.has('image')) return {};
      const use = layerUse(stores.images.list());
      const images = listImages({ all: false, filters: noFilters, sharedSize: false }, stores).map((listed) => {
        const image = renderSummary(
          { ...listed, sharedBytes: sharedBytes(listed.image, use, stores) },
          stores.users.containersUsing(listed.image.id).length,
        );
        return { ...image, RepoDigests: nullIfEmpty(image.RepoDigests as unknown[]) };
      });
      const LayersSize = stores.layers.list().reduce((sum, layer) => sum + layer.sizeBytes, 0);
      return { LayersSize, Images: images };
    },
  };
}

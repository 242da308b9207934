import { statfs } from 'node:fs/promises';
import type { DaemonSettings, SystemInfo } from '@gantry/sdk';
import { layerUse, listImages, sharedBytes } from './engine/list';
import type { Stores } from './engine/stores';
import { registryInfo } from './registry/endpoints';
import { renderSummary } from './routes/render-image';

const noFilters = new Map<string, readonly string[]>();

/** What images add to GET /info and /system/df. */
export function imageSystemInfo(stores: Stores, stateDir: string, settings: DaemonSettings): SystemInfo {
  let backing: Promise<string> | undefined;
  return {
    async info() {
      backing ??= fileSystemName(stateDir);
      return {
        Driver: 'overlay2',
        DriverStatus: [
          ['Backing Filesystem', await backing],
          ['Supports d_type', 'true'],
          ['Using metacopy', 'false'],
          ['Native Overlay Diff', 'true'],
          ['userxattr', 'false'],
        ],
        Images: stores.images.size,
        RegistryConfig: registryInfo(settings),
        IndexServerAddress: 'https://index.docker.io/v1/',
      };
    },
    async diskUsage(types) {
      if (!types.has('image')) return {};
      const use = layerUse(stores.images.list());
      const images = listImages({ all: false, filters: noFilters, sharedSize: false }, stores).map((listed) =>
        renderSummary(
          { ...listed, sharedBytes: sharedBytes(listed.image, use, stores) },
          stores.users.containersUsing(listed.image.id).length,
        ),
      );
      const LayersSize = stores.layers.list().reduce((sum, layer) => sum + layer.sizeBytes, 0);
      return { LayersSize, Images: images };
    },
  };
}

const magicNumbers: Readonly<Record<number, string>> = {
  61267: 'extfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
  801189825: 'zfs',
  4076150800: 'f2fs',
  2240043254: 'ramfs',
};

async function fileSystemName(path: string): Promise<string> {
  const { type } = await statfs(path);
  return magicNumbers[type] ?? '<unknown>';
}

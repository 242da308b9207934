import { ApiRoutes1, definePlugin, EventBus1, Images1, PluginImages1, Snapshotter1, SystemInfo1 } from '@gantry/sdk';
import { imagesConfig } from './config';
import { Images } from './engine/image-manager';
import { StoredPluginImages } from './engine/plugin-images';
import { openSnapshotter, storageRoot } from './engine/storage-driver';
import { openStores } from './engine/stores';
import { imageSystemInfo } from './info';
import { overlayDriver } from './overlay/overlay-driver';
import { archiveRoutes } from './routes/archive-routes';
import { imageRoutes } from './routes/image-routes';
import { registryRoutes } from './routes/registry-routes';
import { requestSubject } from './routes/request-subject';
import { vfsDriver } from './vfs/vfs-driver';

export const plugin = definePlugin({
  name: 'images',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: {
    images: Images1,
    'plugin images': PluginImages1,
    overlay2: Snapshotter1,
    vfs: Snapshotter1,
    routes: ApiRoutes1,
    info: SystemInfo1,
  },
  requires: { events: EventBus1, snapshotters: { all: Snapshotter1 } },
  config: imagesConfig,
  async start({ config, needs, settings, stateDir, log, onStop, onReconfigure }) {
    const { storageDriver, storageOptions } = settings;
    const root = storageRoot(stateDir, storageDriver);
    const drivers = { overlay2: overlayDriver, vfs: vfsDriver };
    const snapshotter = await openSnapshotter(storageDriver, root, drivers, needs.snapshotters, log, storageOptions);
    onStop(() => snapshotter.close());
    const driver = { name: storageDriver, snapshotter };
    const stores = await openStores(root, driver, settings, config.certificates, needs.events, log, onStop);
    onReconfigure(({ settings: next }) => ({
      commit: () => stores.downloads.limit(next.maxConcurrentDownloads, next.maxDownloadAttempts),
    }));
    return {
      images: new Images(stores),
      'plugin images': new StoredPluginImages(stores),
      ...drivers,
      routes: {
        routes: [...archiveRoutes(stores), ...registryRoutes(stores), ...imageRoutes(stores)],
        subjectOf: (path, params) => requestSubject(stores, path, params),
      },
      info: imageSystemInfo(stores, settings),
    };
  },
});

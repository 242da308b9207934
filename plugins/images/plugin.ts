import { ApiRoutes1, definePlugin, EventBus1, Images1, Snapshotter1, SystemInfo1 } from '@gantry/sdk';
import { Images } from './engine/image-manager';
import { openStores } from './engine/stores';
import { imageSystemInfo } from './info';
import { assertStorageDriver } from './overlay/support';
import { archiveRoutes } from './routes/archive-routes';
import { imageRoutes } from './routes/image-routes';
import { registryRoutes } from './routes/registry-routes';
import { requestSubject } from './routes/request-subject';

export const plugin = definePlugin({
  name: 'images',
  version: '1.0.0',
  engine: '^0.1.0',
  provides: { images: Images1, overlay2: Snapshotter1, routes: ApiRoutes1, info: SystemInfo1 },
  requires: { events: EventBus1 },
  async start({ needs, settings, stateDir, log, onStop, onReconfigure }) {
    await assertStorageDriver(settings.storageDriver);
    const stores = await openStores(stateDir, settings, needs.events, log, onStop);
    onReconfigure(({ settings: next }) => ({
      commit: () => stores.downloads.limit(next.maxConcurrentDownloads, next.maxDownloadAttempts),
    }));
    return {
      images: new Images(stores),
      overlay2: stores.snapshotter,
      routes: {
        routes: [...archiveRoutes(stores), ...registryRoutes(stores), ...imageRoutes(stores)],
        subjectOf: (path, params) => requestSubject(stores, path, params),
      },
      info: imageSystemInfo(stores, stateDir, settings),
    };
  },
});

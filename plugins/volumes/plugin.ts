import {
  ApiRoutes1,
  DriverUsers1,
  definePlugin,
  EventBus1,
  PluginSource1,
  SystemInfo1,
  VolumeDriver1,
  Volumes1,
} from '@gantry/sdk';
import { volumeRoutes } from './api/volume-routes';
import { collectMountsLater } from './collect-mounts';
import { openVolumes } from './open-volumes';
import { volumeInfo } from './volume-info';

export const plugin = definePlugin({
  name: 'volumes',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { volumes: Volumes1, routes: ApiRoutes1, info: SystemInfo1, 'volumes of drivers': DriverUsers1 },
  requires: { events: EventBus1, drivers: { all: VolumeDriver1 }, managed: { optional: PluginSource1 } },
  async start({ needs, stateDir, runDir, log, onStop }) {
    const { drivers, events } = needs;
    const store = await openVolumes({ stateDir, runDir, drivers, events, log });
    onStop(collectMountsLater(store));
    return {
      volumes: store,
      routes: {
        routes: volumeRoutes(store, { events, log }),
        subjectOf: (_path, { name }) => store.requestSubject(name),
      },
      info: volumeInfo(store, drivers),
      'volumes of drivers': store,
    };
  },
});

import { join } from 'node:path';
import {
  ApiRoutes1,
  Clock1,
  definePlugin,
  EventBus1,
  PluginDoor1,
  PluginImages1,
  PluginRuntime1,
  PluginSource1,
  sdkVersion,
} from '@gantry/sdk';
import { pluginRoutes } from './api/plugin-routes';
import { openManager } from './open-manager';

/** Managed plugins: `docker plugin`. */
export const plugin = definePlugin({
  name: 'plugin-manager',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { managed: PluginSource1, routes: ApiRoutes1 },
  requires: {
    clock: Clock1,
    door: PluginDoor1,
    events: EventBus1,
    images: PluginImages1,
    runtime: PluginRuntime1,
  },
  async start({ needs, settings, stateDir, log, onStop }) {
    const scratch = join(stateDir, 'tmp');
    const { manager, close } = await openManager({ ...needs, settings, log, scratch, version: sdkVersion });
    onStop(close);
    return {
      managed: manager,
      routes: {
        routes: pluginRoutes(manager, needs.images),
        subjectOf: (_path, { name }) => {
          if (name === undefined) return undefined;
          try {
            const found = manager.records.find(name);
            return { kind: 'plugin', id: found.id, name: found.name, labels: {} };
          } catch {
            return undefined;
          }
        },
      },
    };
  },
});

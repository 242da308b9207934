import {
  ApiRoutes1,
  Clock1,
  Containers1,
  definePlugin,
  EventBus1,
  Images1,
  Logs1,
  MetricsSource1,
  Networks1,
  Runtime1,
  SpecHook1,
  SystemInfo1,
  Volumes1,
} from '@gantry/sdk';
import { restoreEngine, startEngine } from './start-engine';

/** The container engine. */
export const plugin = definePlugin({
  name: 'containers',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { containers: Containers1, routes: ApiRoutes1, info: SystemInfo1, metrics: MetricsSource1 },
  requires: {
    images: Images1,
    networks: Networks1,
    volumes: Volumes1,
    logs: Logs1,
    runtimes: { all: Runtime1 },
    hooks: { all: SpecHook1 },
    events: EventBus1,
    clock: Clock1,
  },
  start: (context) => startEngine(context),
  ready: (context) => restoreEngine(context),
});

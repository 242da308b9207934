import {
  ApiRoutes1,
  DriverUsers1,
  definePlugin,
  EventBus1,
  IpamDriver1,
  NetworkDriver1,
  Networks1,
  PluginSource1,
  SystemInfo1,
} from '@gantry/sdk';
import { startNetworks } from './start';

export const plugin = definePlugin({
  name: 'networks',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: {
    manager: Networks1,
    default: IpamDriver1,
    null: IpamDriver1,
    routes: ApiRoutes1,
    info: SystemInfo1,
    'networks of drivers': DriverUsers1,
  },
  requires: {
    events: EventBus1,
    drivers: { all: NetworkDriver1 },
    ipamDrivers: { all: IpamDriver1 },
    managed: { optional: PluginSource1 },
  },
  start: startNetworks,
});

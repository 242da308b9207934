import { definePlugin, NetworkDriver1 } from '@gantry/sdk';
import { createOnlyNetworkDriver } from '@gantry/sdk/network-drivers';

export const plugin = definePlugin({
  name: 'network-host',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { host: NetworkDriver1 },
  start: () => ({ host: createOnlyNetworkDriver('host') }),
});

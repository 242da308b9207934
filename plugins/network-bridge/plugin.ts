import { definePlugin, NetworkDriver1 } from '@gantry/sdk';
import { bridgeConfig } from './config';
import { startBridge } from './start';

export const plugin = definePlugin({
  name: 'network-bridge',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { bridge: NetworkDriver1 },
  config: bridgeConfig,
  start: ({ config, settings, log, onStop }) => {
    const driver = startBridge(settings, config, log);
    onStop(() => driver.close());
    return { bridge: driver };
  },
});

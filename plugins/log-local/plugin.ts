import { definePlugin, LogDriver1 } from '@gantry/sdk';
import { makeLocalDriver } from './local-driver';

/** The log driver `local`. */
export const plugin = definePlugin({
  name: 'log-local',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { local: LogDriver1 },
  start: ({ log }) => ({ local: makeLocalDriver(log) }),
});

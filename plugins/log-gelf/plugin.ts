import { definePlugin, LogDriver1 } from '@gantry/sdk';
import { makeGelfDriver } from './gelf-driver';

/** The log driver `gelf`. */
export const plugin = definePlugin({
  name: 'log-gelf',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { gelf: LogDriver1 },
  start: () => ({ gelf: makeGelfDriver() }),
});

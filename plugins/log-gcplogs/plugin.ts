import { definePlugin, LogDriver1 } from '@gantry/sdk';
import { makeGcpLogsDriver } from './gcplogs-driver';

/** The log driver `gcplogs`. */
export const plugin = definePlugin({
  name: 'log-gcplogs',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { gcplogs: LogDriver1 },
  start: ({ log }) => ({ gcplogs: makeGcpLogsDriver({ log }) }),
});

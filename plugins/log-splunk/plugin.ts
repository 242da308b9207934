import { definePlugin, LogDriver1 } from '@gantry/sdk';
import { makeSplunkDriver } from './splunk-driver';

/** The log driver `splunk`. */
export const plugin = definePlugin({
  name: 'log-splunk',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { splunk: LogDriver1 },
  start: ({ log }) => ({ splunk: makeSplunkDriver(log) }),
});

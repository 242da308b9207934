import { definePlugin, LogDriver1 } from '@gantry/sdk';
import { makeFluentdDriver } from './fluentd-driver';

/** The log driver `fluentd`. */
export const plugin = definePlugin({
  name: 'log-fluentd',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { fluentd: LogDriver1 },
  start: ({ log }) => ({ fluentd: makeFluentdDriver(log) }),
});

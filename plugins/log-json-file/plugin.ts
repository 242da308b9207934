import { definePlugin, LogDriver1 } from '@gantry/sdk';
import { makeJsonFileDriver } from './json-file-driver';

/** The log driver `json-file`. */
export const plugin = definePlugin({
  name: 'log-json-file',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { 'json-file': LogDriver1 },
  start: ({ log }) => ({ 'json-file': makeJsonFileDriver(log) }),
});

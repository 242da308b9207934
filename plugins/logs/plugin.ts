import { definePlugin, LogDriver1, Logs1, SystemInfo1 } from '@gantry/sdk';
import { makeLogManager } from './log-manager';

/** Container output: from the streams to log drivers and to whoever is attached. */
export const plugin = definePlugin({
  name: 'logs',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { logs: Logs1, info: SystemInfo1 },
  requires: { drivers: { all: LogDriver1 } },
  start({ needs, settings, log }) {
    return {
      logs: makeLogManager(needs.drivers, settings, log),
      info: { info: () => ({ LoggingDriver: settings.logDriver, Plugins: { Log: needs.drivers.names() } }) },
    };
  },
});

import { DriverUsers1, definePlugin, LogDriver1, Logs1, PluginSource1, SystemInfo1 } from '@gantry/sdk';
import { makeLogManager } from './log-manager';

/** Container output: from the streams to log drivers and to whoever is attached. */
export const plugin = definePlugin({
  name: 'logs',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { logs: Logs1, info: SystemInfo1, 'logs of drivers': DriverUsers1 },
  requires: { drivers: { all: LogDriver1 }, managed: { optional: PluginSource1 } },
  start({ needs, settings, log, onReconfigure }) {
    const logs = makeLogManager(needs.drivers, settings, log);
    onReconfigure(async ({ changed, settings: next }) => {
      if (changed.has('log-driver') || changed.has('log-opts')) await logs.validate(next.logDriver, next.logOpts);
      return undefined;
    });
    return {
      logs,
      'logs of drivers': logs,
      info: { info: () => ({ LoggingDriver: settings.logDriver, Plugins: { Log: needs.drivers.names() } }) },
    };
  },
});

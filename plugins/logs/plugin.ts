import { join } from 'node:path';
import {
  DriverUsers1,
  definePlugin,
  EventBus1,
  LogDriver1,
  Logs1,
  MetricsSource1,
  PluginSource1,
  SystemInfo1,
} from '@gantry/sdk';
import { makeLogManager } from './log-manager';

/** What ended containers left for their back ends waits until those that run are looked after. */
const RESUME_MS = 3000;

/** Container output: from the streams to log drivers and to whoever is attached. */
export const plugin = definePlugin({
  name: 'logs',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { logs: Logs1, metrics: MetricsSource1, info: SystemInfo1, 'logs of drivers': DriverUsers1 },
  requires: { drivers: { all: LogDriver1 }, events: EventBus1, managed: { optional: PluginSource1 } },
  start({ needs, settings, log, onReconfigure, onStop }) {
    const logs = makeLogManager(needs.drivers, settings, log, needs.events);
    onStop(logs.deliveries);
    const resuming = setTimeout(() => void logs.deliveries.resume(join(settings.dataRoot, 'containers')), RESUME_MS);
    onStop(() => clearTimeout(resuming));
    onReconfigure(async ({ changed, settings: next }) => {
      if (changed.has('log-driver') || changed.has('log-opts')) await logs.validate(next.logDriver, next.logOpts);
      return undefined;
    });
    return {
      logs,
      metrics: logs,
      'logs of drivers': logs,
      info: { info: () => ({ LoggingDriver: settings.logDriver, Plugins: { Log: needs.drivers.names() } }) },
    };
  },
});

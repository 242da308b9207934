import { definePlugin, LogDriver1 } from '@gantry/sdk';
import { makeSyslogDriver } from './syslog-driver';

/** The log driver `syslog`. */
export const plugin = definePlugin({
  name: 'log-syslog',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { syslog: LogDriver1 },
  start: () => ({ syslog: makeSyslogDriver() }),
});

import { definePlugin, LogDriver1 } from '@gantry/sdk';
import { makeAwsLogsDriver } from './awslogs-driver';

/** The log driver `awslogs`. */
export const plugin = definePlugin({
  name: 'log-awslogs',
  version: '0.1.0',
  engine: '^0.1.0',
  provides: { awslogs: LogDriver1 },
  start: ({ log }) => ({ awslogs: makeAwsLogsDriver(log) }),
});

#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { serve } from '@gantry/sdk/serve';
import { openAllowList } from './allow-list';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string', default: '/run/docker/plugins/allow-list.sock' },
      allow: { type: 'string', multiple: true, default: ['GET *', 'HEAD *'] },
      privileged: { type: 'boolean', default: false },
      'owner-label': { type: 'string' },
    },
  });
  const served = await serve({
    drivers: { authorization: openAllowList({ ...values, ownerLabel: values['owner-label'] }) },
    socketPath: values.socket,
    onError: (method, error) => console.error(`${method}: ${error}`),
  });
  console.log(`judging requests on ${served.address}; allowed: ${values.allow.join(', ')}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void served.close());
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});

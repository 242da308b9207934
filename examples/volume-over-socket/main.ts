#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { serve } from '@gantry/sdk/serve';
import { openShelfVolumes } from './shelf-volumes';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string', default: '/run/docker/plugins/shelf.sock' },
      root: { type: 'string', default: '/var/lib/shelf-volumes' },
    },
  });
  const served = await serve({
    drivers: { volume: await openShelfVolumes(values.root) },
    socketPath: values.socket,
    onError: (method, error) => console.error(`${method}: ${error}`),
  });
  console.log(`serving volumes of ${values.root} on ${served.address}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void served.close());
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});

#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { serve } from '@gantry/sdk/serve';
import { laneNetwork } from './lane-network';

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { socket: { type: 'string', default: '/run/docker/plugins/lane.sock' } } });
  const served = await serve({
    drivers: { network: laneNetwork },
    socketPath: values.socket,
    onError: (method, error) => console.error(`${method}: ${error}`),
  });
  console.log(`serving on ${served.address}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void served.close());
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});

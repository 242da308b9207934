#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { serve } from '@gantry/sdk/serve';
import { openLedger } from './ledger-ipam';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string', default: '/run/docker/plugins/ledger.sock' },
      file: { type: 'string', default: '/var/lib/ledger-ipam.json' },
      base: { type: 'string', default: '10.240.0.0/12' },
    },
  });
  const served = await serve({
    drivers: { ipam: await openLedger(values.file, values.base) },
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

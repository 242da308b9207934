#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { serve } from '@gantry/sdk/serve';
import { openDiaryLogs } from './diary-logs';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string', default: '/run/docker/plugins/diary.sock' },
      root: { type: 'string', default: '/var/lib/diary-logs' },
      'write-only': { type: 'boolean', default: false },
    },
  });
  const diary = await openDiaryLogs(values.root);
  const served = await serve({
    drivers: { log: values['write-only'] ? { ...diary, read: undefined } : diary },
    socketPath: values.socket,
    onError: (method, error) => console.error(`${method}: ${error}`),
  });
  console.log(`keeping logs in ${values.root}, serving on ${served.address}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void served.close());
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});

import { parentPort } from 'node:worker_threads';
import { errorKind, errorMessage } from '@gantry/sdk';
import { UnpackCancelled, unpackLayer } from './unpack-layer';
import type { FromWorker, ToWorker } from './worker-messages';

const port = parentPort!;
const cancelled = new Set<number>();
const send = (message: FromWorker) => port.postMessage(message);
const progressEveryMs = 100;

port.on('message', (message: ToWorker) => {
  if (message.kind === 'cancel') cancelled.add(message.job);
  else void run(message);
});

async function run({ job, request }: ToWorker & { kind: 'unpack' }): Promise<void> {
  let reportedAt = 0;
  try {
    const result = await unpackLayer(
      request,
      (tarBytes) => {
        const now = Date.now();
        if (now - reportedAt < progressEveryMs) return;
        reportedAt = now;
        send({ kind: 'progress', job, tarBytes });
      },
      () => cancelled.has(job),
    );
    send({ kind: 'done', job, result });
  } catch (error) {
    const kind = error instanceof UnpackCancelled ? 'cancelled' : errorKind(error);
    const code = (error as NodeJS.ErrnoException).code;
    // zlib's own errors mean bad data, not a fault of this machine.
    const isBadData = code !== undefined && (code.startsWith('Z_') || code === 'ERR_BUFFER_OUT_OF_BOUNDS');
    send({ kind: 'failed', job, errorKind: isBadData ? 'invalid-parameter' : kind, message: errorMessage(error) });
  } finally {
    cancelled.delete(job);
  }
}

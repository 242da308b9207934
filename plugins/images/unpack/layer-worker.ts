import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { errorKind, errorMessage } from '@gantry/sdk';
import { PackCancelled } from '../commit/layer-packer';
import { packLayer } from '../commit/pack-layer';
import { compareTrees } from '../vfs/compare-trees';
import { copyTree } from '../vfs/copy-tree';
import { UnpackCancelled, type UnpackRequest, type UnpackResult, unpackLayer } from './unpack-layer';
import type { FromWorker, LayerTask, LayerTaskResult, ToWorker } from './worker-messages';

// Of this thread alone, on Linux: whoever answers requests goes first where processors are short.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const port = parentPort!;
const send = (message: FromWorker) => port.postMessage(message);
const progressEveryMs = 100;

port.on('message', (message: ToWorker) => void run(message));

async function run({ job, task, cancelled }: ToWorker): Promise<void> {
  // Packing never waits, so a message could not reach it: the flag is shared memory.
  const flag = new Int32Array(cancelled);
  try {
    const result = await perform(
      task,
      (tarBytes) => send({ kind: 'progress', job, tarBytes }),
      () => Atomics.load(flag, 0) !== 0,
    );
    send({ kind: 'done', job, result });
  } catch (error) {
    const stopped = error instanceof UnpackCancelled || error instanceof PackCancelled;
    const code = (error as NodeJS.ErrnoException).code;
    // zlib's own errors mean bad data, not a fault of this machine.
    const isBadData = code !== undefined && (code.startsWith('Z_') || code === 'ERR_BUFFER_OUT_OF_BOUNDS');
    const kind = stopped ? 'cancelled' : isBadData ? 'invalid-parameter' : errorKind(error);
    send({ kind: 'failed', job, errorKind: kind, message: errorMessage(error) });
  }
}

async function perform(
  task: LayerTask,
  onProgress: (tarBytes: number) => void,
  isCancelled: () => boolean,
): Promise<LayerTaskResult> {
  switch (task.kind) {
    case 'pack':
      return packLayer(task.request, isCancelled);
    case 'copy':
      copyTree(task.request, isCancelled);
      return undefined;
    case 'compare':
      return compareTrees(task.request, isCancelled);
    case 'unpack':
      return unpack(task.request, onProgress, isCancelled);
  }
}

function unpack(
  request: UnpackRequest,
  onProgress: (tarBytes: number) => void,
  isCancelled: () => boolean,
): Promise<UnpackResult> {
  let reportedAt = 0;
  return unpackLayer(
    request,
    (tarBytes) => {
      const now = Date.now();
      if (now - reportedAt < progressEveryMs) return;
      reportedAt = now;
      onProgress(tarBytes);
    },
    isCancelled,
  );
}

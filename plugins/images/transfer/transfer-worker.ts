import { constants, setPriority } from 'node:os';
import { Readable } from 'node:stream';
import { parentPort } from 'node:worker_threads';
import { cancelled, errorKind, errorMessage } from '@gantry/sdk';
import { indexArchive } from '../archive/index-archive';
import { HttpClient, type HttpOptions } from '../registry/http';
import { type ReceiveRequest, type ReceiveResult, receiveBlob } from './receive-blob';
import type { FromTransferThread, SpoolResult, ToTransferThread } from './transfer-messages';

// Of this thread alone, on Linux: whoever answers requests goes first where processors are short.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

interface Running {
  readonly controller: AbortController;
  /** Takes the archive's bytes. */
  readonly take?: (chunks: readonly Uint8Array[]) => void;
}

const port = parentPort!;
const send = (message: FromTransferThread) => port.postMessage(message);
const progressEveryMs = 100;
const running = new Map<number, Running>();
const clients = new Map<number, HttpClient>();

port.on('message', (message: ToTransferThread) => {
  const { job } = message;
  switch (message.kind) {
    case 'receive':
      begin(job, {}, (signal) => receive(job, message.request, signal));
      return;
    case 'spool': {
      const body = new PostedBytes((bytes) => send({ kind: 'moved', job, bytes }));
      begin(job, { take: (chunks) => body.add(chunks) }, (signal) =>
        indexArchive(body, message.path, signal, (entry) => send({ kind: 'layer', job, entry })),
      );
      return;
    }
    case 'bytes':
      running.get(job)?.take?.(message.chunks);
      return;
    case 'cancel':
      running.get(job)?.controller.abort(cancelled('the transfer was cancelled'));
  }
});

function begin(
  job: number,
  more: Pick<Running, 'take'>,
  work: (signal: AbortSignal) => Promise<ReceiveResult | SpoolResult>,
): void {
  const controller = new AbortController();
  running.set(job, { controller, ...more });
  const over = (message: FromTransferThread) => {
    running.delete(job);
    send(message);
  };
  work(controller.signal).then(
    (result) => over({ kind: 'done', job, result }),
    (error: NodeJS.ErrnoException) => {
      const kind = controller.signal.aborted ? 'cancelled' : errorKind(error);
      over({ kind: 'failed', job, errorKind: kind, message: errorMessage(error), code: error.code });
    },
  );
}

function receive(job: number, request: ReceiveRequest, signal: AbortSignal): Promise<ReceiveResult> {
  let toldAt = 0;
  const onMoved = (bytes: number) => {
    const now = Date.now();
    if (now - toldAt < progressEveryMs && bytes < request.size) return;
    toldAt = now;
    send({ kind: 'moved', job, bytes });
  };
  return receiveBlob(request, clientWith(request.http), onMoved, signal);
}

function clientWith(options: HttpOptions): HttpClient {
  let client = clients.get(options.id);
  if (client === undefined) {
    client = new HttpClient(options);
    clients.set(options.id, client);
  }
  return client;
}

/** A stream of what the other thread posts; it is told how much was read, and posts more. */
class PostedBytes extends Readable {
  private taken = 0;
  private readonly waiting: number[] = [];

  constructor(private readonly onRead: (bytes: number) => void) {
    super({ highWaterMark: 4 << 20 });
  }

  add(chunks: readonly Uint8Array[]): void {
    if (chunks.length === 0) {
      this.push(null);
      return;
    }
    let wantsMore = true;
    for (const chunk of chunks) {
      this.taken += chunk.length;
      wantsMore = this.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    }
    if (wantsMore) this.onRead(this.taken);
    else this.waiting.push(this.taken);
  }

  override _read(): void {
    if (this.waiting.length === 0) return;
    this.waiting.length = 0;
    this.onRead(this.taken);
  }
}

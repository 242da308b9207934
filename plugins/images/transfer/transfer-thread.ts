import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Worker } from 'node:worker_threads';
import { cancelled, EngineError, systemError } from '@gantry/sdk';
import type { LayerEntry } from '../archive/index-archive';
import { builtFile } from '../unpack/built-file';
import type { ReceiveRequest, ReceiveResult } from './receive-blob';
import type { FromTransferThread, SpoolResult, ToTransferThread } from './transfer-messages';

interface Job {
  readonly onMoved: (bytes: number) => void;
  readonly onLayer: (entry: LayerEntry) => void;
  readonly resolve: (result: ReceiveResult | SpoolResult) => void;
  readonly reject: (error: unknown) => void;
}

const idleMs = 5_000;
const batchBytes = 512 << 10;
const windowBytes = 4 << 20;

/** Moves bytes between connections and files in a thread of its own, which ends after a while without work. */
export class TransferThread {
  private worker: Worker | undefined;
  private readonly jobs = new Map<number, Job>();
  private nextJob = 1;
  private idleTimer: NodeJS.Timeout | undefined;
  private closed = false;

  /**
   * @param onMoved called a few times a second with the bytes the file holds
   * @throws as `receiveBlob`; cancelled when the signal aborts
   */
  receive(request: ReceiveRequest, onMoved: (bytes: number) => void, signal: AbortSignal): Promise<ReceiveResult> {
    const job = this.nextJob++;
    return this.run(job, { kind: 'receive', job, request }, onMoved, signal) as Promise<ReceiveResult>;
  }

  /**
   * Writes an archive to a file.
   *
   * @param body its buffers are given away: nobody else may look at them
   * @param onLayer told of likely layers as soon as they are in the file
   * @returns its entries
   * @throws as `indexArchive`; cancelled when the signal aborts; what the body throws
   */
  async spool(
    body: Readable,
    path: string,
    signal: AbortSignal,
    onLayer: (entry: LayerEntry) => void,
  ): Promise<SpoolResult> {
    const job = this.nextJob++;
    // Each side ends the other.
    const [sending, indexing] = [new AbortController(), new AbortController()];
    let sent = 0;
    let taken = 0;
    let wake = () => {};
    const onMoved = (bytes: number) => {
      taken = bytes;
      wake();
    };
    const message = { kind: 'spool', job, path } as const;
    const indexed = this.run(job, message, onMoved, AbortSignal.any([signal, indexing.signal]), onLayer);
    indexed.catch((reason: unknown) => {
      sending.abort(reason);
      wake();
    });
    const send = async (source: AsyncIterable<Buffer>) => {
      for await (const chunks of batches(source)) {
        for (const chunk of chunks) sent += chunk.length;
        this.post({ kind: 'bytes', job, chunks }, chunks);
        while (sent - taken > windowBytes && !sending.signal.aborted)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
      this.post({ kind: 'bytes', job, chunks: [] });
    };
    try {
      // Unlike destroying it, this leaves the connection of a request's body to the answer.
      await pipeline(body, send, { signal: sending.signal });
    } catch (error) {
      if (sending.signal.aborted) throw sending.signal.reason;
      indexing.abort();
      await indexed.catch(() => {});
      throw error;
    }
    return (await indexed) as SpoolResult;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.idleTimer);
    this.failAll(cancelled('the image store is closing'));
    await this.worker?.terminate();
  }

  private run(
    id: number,
    message: ToTransferThread,
    onMoved: (bytes: number) => void,
    signal: AbortSignal,
    onLayer: (entry: LayerEntry) => void = () => {},
  ): Promise<ReceiveResult | SpoolResult> {
    return new Promise((resolve, reject) => {
      if (this.closed || signal.aborted) return reject(cancelled('the transfer was cancelled', signal.reason));
      // The job ends when the thread says so: until then it may still write.
      const cancel = () => this.post({ kind: 'cancel', job: id });
      const ending = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          signal.removeEventListener('abort', cancel);
          settle(value);
        };
      };
      this.jobs.set(id, { onMoved, onLayer, resolve: ending(resolve), reject: ending(reject) });
      signal.addEventListener('abort', cancel, { once: true });
      clearTimeout(this.idleTimer);
      this.worker ??= this.startWorker();
      this.worker.ref();
      this.post(message);
    });
  }

  private post(message: ToTransferThread, chunks: readonly Uint8Array[] = []): void {
    this.worker?.postMessage(
      message,
      chunks.map(({ buffer }) => buffer as ArrayBuffer),
    );
  }

  private startWorker(): Worker {
    const worker = new Worker(builtFile('transfer', 'transfer-worker.js'));
    worker.on('message', (message: FromTransferThread) => this.receiveMessage(message));
    const lose = (error?: Error) => {
      if (this.worker !== worker) return;
      this.worker = undefined;
      this.failAll(systemError(`the transfer thread ended: ${error?.message ?? 'no reason given'}`, error));
    };
    worker.on('error', lose);
    worker.on('exit', () => lose());
    return worker;
  }

  private receiveMessage(message: FromTransferThread): void {
    const job = this.jobs.get(message.job);
    if (job === undefined) return;
    if (message.kind === 'moved') {
      job.onMoved(message.bytes);
      return;
    }
    if (message.kind === 'layer') {
      job.onLayer(message.entry);
      return;
    }
    this.jobs.delete(message.job);
    if (this.jobs.size === 0) this.rest();
    if (message.kind === 'done') job.resolve(message.result);
    else job.reject(Object.assign(new EngineError(message.errorKind, message.message), { code: message.code }));
  }

  private rest(): void {
    const { worker } = this;
    worker?.unref();
    this.idleTimer = setTimeout(() => {
      // It takes a while to end, and must not be given work meanwhile.
      this.worker = undefined;
      void worker?.terminate();
    }, idleMs);
    this.idleTimer.unref();
  }

  private failAll(error: Error): void {
    for (const { reject } of this.jobs.values()) reject(error);
    this.jobs.clear();
  }
}

/** A body in pieces that may be given away: whole buffers of their own, many at a time. */
async function* batches(body: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array[]> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    batch.push(owned(chunk));
    bytes += chunk.length;
    if (bytes < batchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (bytes > 0) yield batch;
}

/** Parts of a buffer that others read too are copied. */
function owned(chunk: Buffer): Uint8Array {
  const isWhole = chunk.byteOffset === 0 && chunk.length === chunk.buffer.byteLength;
  return isWhole ? chunk : new Uint8Array(chunk);
}

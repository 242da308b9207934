import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { cancelled, EngineError, systemError } from '@gantry/sdk';
import type { PackRequest, PackResult } from '../commit/pack-layer';
import type { CompareRequest, Comparison } from '../vfs/compare-trees';
import type { CopyRequest } from '../vfs/copy-tree';
import { builtFile } from './built-file';
import type { UnpackRequest, UnpackResult } from './unpack-layer';
import type { FromWorker, LayerTask, LayerTaskResult, ToWorker } from './worker-messages';

interface Job {
  readonly id: number;
  readonly task: LayerTask;
  readonly cancelled: SharedArrayBuffer;
  readonly onProgress: (tarBytes: number) => void;
  readonly resolve: (result: LayerTaskResult) => void;
  readonly reject: (error: unknown) => void;
  readonly signal: AbortSignal;
}

interface Seat {
  readonly worker: Worker;
  job: Job | undefined;
  idleTimer: NodeJS.Timeout | undefined;
}

/** Unpacks, packs, copies and compares layers in worker threads, at most one per processor; threads end after a while without work. */
export class LayerWorkers {
  private readonly seats = new Set<Seat>();
  private readonly queue: Job[] = [];
  private nextId = 1;
  private closed = false;

  constructor(
    private readonly maximum = Math.max(2, Math.min(4, availableParallelism())),
    private readonly idleMs = 5_000,
  ) {}

  /**
   * @param onProgress called a few times a second with the uncompressed bytes handled so far
   * @throws as `unpackLayer`; cancelled when the signal aborts
   */
  unpack(request: UnpackRequest, signal: AbortSignal, onProgress: (tarBytes: number) => void): Promise<UnpackResult> {
    return this.run({ kind: 'unpack', request }, signal, onProgress) as Promise<UnpackResult>;
  }

  /** @throws as `packLayer`; cancelled when the signal aborts */
  pack(request: PackRequest, signal: AbortSignal): Promise<PackResult> {
    return this.run({ kind: 'pack', request }, signal, () => {}) as Promise<PackResult>;
  }

  /** @throws as `copyTree`; cancelled when the signal aborts */
  async copyTree(request: CopyRequest, signal: AbortSignal): Promise<void> {
    await this.run({ kind: 'copy', request }, signal, () => {});
  }

  /** @throws as `compareTrees`; cancelled when the signal aborts */
  compareTrees(request: CompareRequest, signal: AbortSignal): Promise<Comparison> {
    return this.run({ kind: 'compare', request }, signal, () => {}) as Promise<Comparison>;
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const job of this.queue.splice(0)) job.reject(cancelled('the image store is closing'));
    await Promise.all(
      [...this.seats].map(async (seat) => {
        clearTimeout(seat.idleTimer);
        seat.job?.reject(cancelled('the image store is closing'));
        seat.job = undefined;
        await seat.worker.terminate();
      }),
    );
    this.seats.clear();
  }

  private run(task: LayerTask, signal: AbortSignal, onProgress: (tarBytes: number) => void): Promise<LayerTaskResult> {
    return new Promise((resolve, reject) => {
      if (this.closed || signal.aborted) return reject(cancelled('the layer is not worked on', signal.reason));
      const flag = new SharedArrayBuffer(4);
      const abort = () => this.cancel(job);
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          signal.removeEventListener('abort', abort);
          settle(value);
        };
      };
      const ends = { resolve: settled(resolve), reject: settled(reject) };
      const job: Job = { id: this.nextId++, task, cancelled: flag, onProgress, ...ends, signal };
      this.queue.push(job);
      signal.addEventListener('abort', abort, { once: true });
      this.dispatch();
    });
  }

  private dispatch(): void {
    while (this.queue.length > 0) {
      let seat = [...this.seats].find((candidate) => candidate.job === undefined);
      if (seat === undefined && this.seats.size < this.maximum) seat = this.addSeat();
      if (seat === undefined) return;
      const job = this.queue.shift()!;
      clearTimeout(seat.idleTimer);
      seat.job = job;
      seat.worker.ref();
      const message: ToWorker = { job: job.id, task: job.task, cancelled: job.cancelled };
      seat.worker.postMessage(message);
    }
  }

  private cancel(job: Job): void {
    const queued = this.queue.indexOf(job);
    if (queued >= 0) {
      this.queue.splice(queued, 1);
      job.reject(cancelled('the layer is not worked on', job.signal.reason));
      return;
    }
    // The job ends when the worker says so: until then it may still write.
    Atomics.store(new Int32Array(job.cancelled), 0, 1);
  }

  private addSeat(): Seat {
    const seat: Seat = {
      worker: new Worker(builtFile('unpack', 'layer-worker.js')),
      job: undefined,
      idleTimer: undefined,
    };
    this.seats.add(seat);
    seat.worker.on('message', (message: FromWorker) => this.receive(seat, message));
    seat.worker.on('error', (error) => this.lose(seat, error));
    seat.worker.on('exit', () => this.lose(seat, undefined));
    return seat;
  }

  private receive(seat: Seat, message: FromWorker): void {
    const job = seat.job;
    if (job === undefined || job.id !== message.job) return;
    if (message.kind === 'progress') {
      job.onProgress(message.tarBytes);
      return;
    }
    this.vacate(seat);
    if (message.kind === 'done') job.resolve(message.result);
    else job.reject(new EngineError(message.errorKind, message.message));
    this.dispatch();
  }

  private vacate(seat: Seat): void {
    seat.job = undefined;
    seat.worker.unref();
    seat.idleTimer = setTimeout(() => {
      // It takes a while to end, and must not be given work meanwhile.
      this.seats.delete(seat);
      void seat.worker.terminate();
    }, this.idleMs);
    seat.idleTimer.unref();
  }

  private lose(seat: Seat, error: Error | undefined): void {
    if (!this.seats.delete(seat)) return;
    clearTimeout(seat.idleTimer);
    seat.job?.reject(systemError(`the layer worker ended: ${error?.message ?? 'no reason given'}`, error));
    seat.job = undefined;
    if (!this.closed) this.dispatch();
  }
}

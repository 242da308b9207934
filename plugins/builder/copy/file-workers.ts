import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { cancelled, EngineError, systemError } from '@gantry/sdk';
import type { CopyJob } from './copy-files';
import {
  type FileTask,
  type FileTaskFailure,
  type FileTaskResult,
  type FromFileWorker,
  listsOf,
  type ResolvedPlace,
  type ToFileWorker,
  withLists,
} from './file-tasks';
import { type CopyItem, type CopySource, MissingFile, type SelectRequest } from './select-files';

interface Job {
  readonly id: number;
  readonly task: FileTask;
  readonly resolve: (result: FileTaskResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Seat {
  readonly worker: Worker;
  job: Job | undefined;
  idleTimer: NodeJS.Timeout | undefined;
}

const idleMs = 10_000;
const pieceItems = 500;

/** Work on many files in threads, at most one per processor; threads end after a while without work. */
export class FileWorkers {
  private readonly seats = new Set<Seat>();
  private readonly queue: Job[] = [];
  private nextId = 1;
  private closed = false;

  constructor(private readonly maximum = Math.max(2, Math.min(4, availableParallelism()))) {}

  /** @throws as `copyFiles` */
  copy(job: CopyJob): Promise<void> {
    return this.run({ kind: 'copy', job }) as Promise<void>;
  }

  makeDirectory(root: string, path: string): Promise<void> {
    return this.run({ kind: 'make-directory', root, path }) as Promise<void>;
  }

  /** @throws as `findSources` */
  select(root: string, request: SelectRequest): Promise<readonly CopySource[]> {
    return this.run({ kind: 'select', root, request }) as Promise<readonly CopySource[]>;
  }

  /** What the history says of files below a directory. @throws as `findSources` */
  label(root: string, request: SelectRequest): Promise<string> {
    return this.run({ kind: 'label', root, request }) as Promise<string>;
  }

  /** Everything below a directory, as one source. */
  list(root: string): Promise<readonly CopySource[]> {
    return this.run({ kind: 'list', root }) as Promise<readonly CopySource[]>;
  }

  unpackTree(items: readonly CopyItem[], root: string): Promise<void> {
    return this.run({ kind: 'unpack-tree', items, root }) as Promise<void>;
  }

  resolve(root: string, path: string): Promise<ResolvedPlace> {
    return this.run({ kind: 'resolve', root, path }) as Promise<ResolvedPlace>;
  }

  missing(root: string, paths: readonly string[]): Promise<readonly string[]> {
    return this.run({ kind: 'missing', root, paths }) as Promise<readonly string[]>;
  }

  /** Writes only what differs. */
  makeEqual(root: string, source: string): Promise<void> {
    return this.run({ kind: 'make-equal', root, source }) as Promise<void>;
  }

  removeEmpty(root: string, paths: readonly string[]): Promise<void> {
    return this.run({ kind: 'remove-empty', root, paths }) as Promise<void>;
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const job of this.queue.splice(0)) job.reject(cancelled('the builder is closing'));
    await Promise.all(
      [...this.seats].map(async (seat) => {
        clearTimeout(seat.idleTimer);
        seat.job?.reject(cancelled('the builder is closing'));
        seat.job = undefined;
        await seat.worker.terminate();
      }),
    );
    this.seats.clear();
  }

  private run(task: FileTask): Promise<FileTaskResult> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(cancelled('the builder is closing'));
      this.queue.push({ id: this.nextId++, task, resolve, reject });
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
      void send(seat.worker, job);
    }
  }

  private addSeat(): Seat {
    const seat: Seat = { worker: new Worker(workerFile()), job: undefined, idleTimer: undefined };
    this.seats.add(seat);
    seat.worker.on('message', (message: FromFileWorker) => this.receive(seat, message));
    seat.worker.on('error', (error) => this.lose(seat, error));
    seat.worker.on('exit', () => this.lose(seat, undefined));
    return seat;
  }

  private receive(seat: Seat, message: FromFileWorker): void {
    const { job } = seat;
    if (job === undefined || job.id !== message.job) return;
    seat.job = undefined;
    seat.worker.unref();
    seat.idleTimer = setTimeout(() => void seat.worker.terminate(), idleMs);
    seat.idleTimer.unref();
    if (message.failed === undefined) job.resolve(message.result);
    else job.reject(errorOf(message.failed));
    this.dispatch();
  }

  private lose(seat: Seat, error: Error | undefined): void {
    if (!this.seats.delete(seat)) return;
    clearTimeout(seat.idleTimer);
    seat.job?.reject(systemError(`the file worker ended: ${error?.message ?? 'no reason given'}`, error));
    seat.job = undefined;
    if (!this.closed) this.dispatch();
  }
}

const errorOf = ({ kind, message, missing }: FileTaskFailure): EngineError =>
  missing === undefined ? new EngineError(kind, message) : new MissingFile(message, missing);

/** Posts a job; a long list of files goes ahead in pieces, between which others get their turn. */
async function send(worker: Worker, { id: job, task }: Job): Promise<void> {
  const post = (message: ToFileWorker) => worker.postMessage(message);
  const lists = listsOf(task);
  if (lists.reduce((sum, items) => sum + items.length, 0) <= pieceItems) return post({ job, task });
  for (const items of lists)
    for (let at = 0; at < items.length; at += pieceItems) {
      post({ job, items: items.slice(at, at + pieceItems) });
      await setImmediate();
    }
  const bare = withLists(
    task,
    lists.map(() => []),
  );
  post({ job, task: bare, counts: lists.map(({ length }) => length) });
}

/** The built worker, also when the sources themselves run (as the unit tests do). */
function workerFile(): string {
  const packageRoot = dirname(__dirname);
  const built = basename(packageRoot) === 'dist' ? packageRoot : join(packageRoot, 'dist');
  return join(built, 'copy', 'file-worker.js');
}

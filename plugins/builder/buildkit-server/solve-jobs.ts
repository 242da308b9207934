import { EventEmitter } from 'node:events';
import { GrpcError, grpcCodes } from './grpc-server';
import type { SolveJob } from './solve-job';

const waitMs = 5_000;
const keptMs = 30_000;

/**
 * Builds by the client's name for them. A client asks for the status while it asks for the build: either may come
 * first, and a short build is over when the other one comes.
 */
export class SolveJobs {
  private readonly jobs = new Map<string, SolveJob>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly added = new EventEmitter().setMaxListeners(0);

  add(job: SolveJob): void {
    if (this.jobs.has(job.ref)) throw new GrpcError(grpcCodes.unknown, `job ID ${job.ref} exists already`);
    this.jobs.set(job.ref, job);
    this.added.emit('added');
  }

  /** It has ended: its status can be asked for a while longer. */
  ended(job: SolveJob): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.jobs.delete(job.ref);
    }, keptMs);
    timer.unref();
    this.timers.add(timer);
  }

  /** @throws GrpcError  there is none, and none comes */
  async get(ref: string, signal: AbortSignal): Promise<SolveJob> {
    const either = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
    for (;;) {
      const job = this.jobs.get(ref);
      if (job !== undefined) return job;
      if (either.aborted) throw new GrpcError(grpcCodes.notFound, `no such job ${ref}`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.added.off('added', wake);
          either.removeEventListener('abort', wake);
          resolve();
        };
        this.added.on('added', wake);
        either.addEventListener('abort', wake);
      });
    }
  }

  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.jobs.clear();
  }
}

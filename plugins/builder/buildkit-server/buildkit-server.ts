import { randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import type { HijackedConnection } from '@gantry/sdk';
import { message, readFields, textMapField, textOf } from '../buildkit/protobuf';
import { closed } from '../buildkit/session-request';
import type { Builder } from '../engine/builder';
import type { RunningBuilds } from '../engine/running-builds';
import type { BuildCounts } from '../metrics';
import { bridgeMethods } from './bridge';
import { checkExporters, type ExportResponse, exportResult } from './exporters';
import { frontendOptions } from './frontend-options';
import { type GrpcCall, GrpcError, type GrpcMethod, grpcCodes, serveGrpc } from './grpc-server';
import { SolveJob } from './solve-job';
import { SolveJobs } from './solve-jobs';
import { parseSolve, type SolveRequest } from './solve-request';
import { sourceError } from './source-error';
import { usageMethods } from './usage';
import { info, listWorkers } from './worker';

/** What builds report to. */
export interface BuildWatch {
  readonly builds: RunningBuilds;
  readonly counts: BuildCounts;
  readonly afterBuild: () => void;
}

/**
 * Serves clients of BuildKit with the builder of this daemon: there is no BuildKit behind it.
 *
 * @see Docker Engine API, POST /grpc; BuildKit, api/services/control/control.proto
 */
export class BuildkitServer {
  private readonly jobs = new SolveJobs();
  private readonly workerId = randomBytes(12).toString('hex');
  private readonly methods: ReadonlyMap<string, GrpcMethod>;

  constructor(
    private readonly builder: Builder,
    private readonly watch: BuildWatch,
  ) {
    const control: Record<string, GrpcMethod> = {
      Solve: (call) => this.solveCall(call),
      Status: (call) => this.status(call),
      ListWorkers: async () => listWorkers(this.workerId),
      Info: async () => info(),
      ...usageMethods(builder),
    };
    this.methods = new Map<string, GrpcMethod>([
      ...Object.entries(control).map(([name, method]) => [`/moby.buildkit.v1.Control/${name}`, method] as const),
      ...Object.entries(bridgeMethods(this.jobs, this.workerId)).map(
        ([name, method]) => [`/moby.buildkit.v1.frontend.LLBBridge/${name}`, method] as const,
      ),
      // Clients send their spans to whom they talk to; nobody here collects them.
      ['/opentelemetry.proto.collector.trace.v1.TraceService/Export', async () => Buffer.alloc(0)],
      // serving
      ['/grpc.health.v1.Health/Check', async () => Buffer.from([8, 1])],
    ]);
  }

  /** One connection of a client. */
  async serve(connection: HijackedConnection): Promise<void> {
    const session = http2.performServerHandshake(connection.stream);
    serveGrpc(session, this.methods);
    await closed(session, connection);
  }

  close(): void {
    this.jobs.close();
  }

  /**
   * Carries out a build.
   *
   * @param began hears of the build before anything happens
   * @param gone the client has given up
   */
  async solve(request: SolveRequest, began: (job: SolveJob) => void, gone: AbortSignal): Promise<ExportResponse> {
    const { builds, counts, afterBuild } = this.watch;
    const running = builds.begin(request.ref);
    const job = new SolveJob(request.ref, request.session, this.builder, AbortSignal.any([gone, running.signal]));
    this.jobs.add(job);
    began(job);
    try {
      return await this.runJob(job, request);
    } catch (error) {
      counts.hasFailed(gone.aborted ? new Error('Build cancelled') : error);
      throw sourceError(job.signal.aborted ? job.signal.reason : error, undefined);
    } finally {
      await job.close();
      this.jobs.ended(job);
      running.end();
      afterBuild();
    }
  }

  private async runJob(job: SolveJob, request: SolveRequest): Promise<ExportResponse> {
    refuseForeign(request);
    checkExporters(request.exporters, this.builder);
    let ref: string;
    if (request.frontend === '') {
      const returned = await job.returned();
      if (returned.kind === 'error') throw returned.error;
      // A client that only looked what there is.
      if (returned.ref === '') return {};
      ref = returned.ref;
    } else {
      this.watch.counts.began();
      const { frontend, attributes, session, cacheFrom } = request;
      const options = request.options ?? frontendOptions(frontend, attributes, session, cacheFrom);
      if (options.subrequest !== '') return await job.answer(options);
      ref = await job.prepare(options);
    }
    const imageId = await job.image(ref);
    return exportResult(request.exporters, imageId, job, this.builder);
  }

  private async solveCall({ request, signal }: GrpcCall): Promise<Buffer> {
    const response = await this.solve(parseSolve(request), () => {}, signal);
    return message(textMapField(1, response));
  }

  private async status({ request, signal, send }: GrpcCall): Promise<undefined> {
    const job = await this.jobs.get(textOf(readFields(request), 1), signal);
    await job.log.follow(send, signal);
  }
}

function refuseForeign({ hasDefinition, cacheExports }: SolveRequest): void {
  if (hasDefinition)
    throw new GrpcError(
      grpcCodes.unimplemented,
      'builds of LLB are not supported by this builder: it builds Dockerfiles',
    );
  const [first] = cacheExports.filter((type) => type !== 'inline');
  if (first !== undefined)
    throw new GrpcError(
      grpcCodes.unimplemented,
      `Cache export is not supported for the docker driver: "${first}" needs a buildx container driver`,
    );
}

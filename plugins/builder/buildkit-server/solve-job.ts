import { rm } from 'node:fs/promises';
import { cancelled, notFound } from '@gantry/sdk';
import type { Builder } from '../engine/builder';
import { Pending } from '../engine/pending';
import { type PreparedBuild, prepareBuild } from '../engine/run-build';
import { ClientContext } from './client-context';
import type { FrontendOptions } from './frontend-options';
import type { GrpcError } from './grpc-server';
import { sourceError } from './source-error';
import { StatusLog } from './status-log';
import { answerSubrequest, type SubrequestResult } from './subrequests';
import { VertexProgress } from './vertex-progress';

/** What a client has told over the bridge: the build to be exported, or why there is none. */
export type Returned = { readonly kind: 'result'; readonly ref: string } | { readonly kind: 'error'; error: GrpcError };

/** One build of a client, from its solve to its end. */
export class SolveJob {
  readonly log = new StatusLog();
  private readonly stop = new AbortController();
  private readonly builds = new Map<string, FrontendBuild>();
  private readonly given = new Pending<Returned>();

  /** @param ref the client's name for it */
  constructor(
    readonly ref: string,
    readonly session: string,
    private readonly builder: Builder,
    gone: AbortSignal,
  ) {
    gone.addEventListener('abort', () => this.cancel('the client has given up'), { once: true });
    if (gone.aborted) this.cancel('the client has given up');
  }

  get signal(): AbortSignal {
    return this.stop.signal;
  }

  cancel(reason: string): void {
    this.stop.abort(cancelled(`context canceled: ${reason}`));
    this.given.reject(this.stop.signal.reason);
  }

  /** Reads the Dockerfile of a build. @returns its name */
  async prepare(options: FrontendOptions): Promise<string> {
    const build = await FrontendBuild.open(this, options, this.builder);
    const ref = `${this.ref}-${this.builds.size}`;
    this.builds.set(ref, build);
    return ref;
  }

  /** Answers what is asked of the Dockerfile of a build. */
  async answer(options: FrontendOptions): Promise<SubrequestResult> {
    const session = await this.builder.sessions.get(this.session, this.signal);
    const folder = await this.builder.scratch.folder();
    try {
      const progress = new VertexProgress(this.log, this.ref, () => 0);
      const context = new ClientContext(this.builder, session, options, progress, folder, this.signal);
      return await answerSubrequest(options.subrequest, options, context, this.builder);
    } catch (error) {
      throw sourceError(error, undefined);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Carries a build out, once. @returns the image's id. @throws not-found  no such build */
  async image(ref: string): Promise<string> {
    const build = this.builds.get(ref);
    if (build === undefined) throw notFound(`no such reference: ${ref}`);
    return build.image();
  }

  giveBack(returned: Returned): void {
    this.given.resolve(returned);
  }

  /** What the client gives back over the bridge. */
  returned(): Promise<Returned> {
    return this.given.promise;
  }

  /** Removes what its builds kept on disk. */
  async close(): Promise<void> {
    this.stop.abort(cancelled('the build has ended'));
    for (const build of this.builds.values()) await build.close();
    this.log.end();
  }
}

/** One run of the Dockerfile frontend. */
class FrontendBuild {
  private made: Promise<string> | undefined;

  private constructor(
    private readonly job: SolveJob,
    private readonly progress: VertexProgress,
    private readonly prepared: PreparedBuild,
    private readonly source: { readonly file: string; readonly text: string } | undefined,
  ) {}

  static async open(job: SolveJob, options: FrontendOptions, builder: Builder): Promise<FrontendBuild> {
    const session = job.session === '' ? undefined : await builder.sessions.get(job.session, job.signal);
    let source: { file: string; text: string } | undefined;
    let context: ClientContext | undefined;
    const progress = new VertexProgress(job.log, job.ref, () => context?.names ?? 0);
    try {
      const prepared = await prepareBuild(options.request, builder, async (folder) => {
        context = new ClientContext(builder, session, options, progress, folder, job.signal);
        const input = await context.load();
        source = { file: input.dockerfileName, text: input.dockerfile };
        return input;
      });
      return new FrontendBuild(job, progress, prepared, source);
    } catch (error) {
      throw sourceError(error, source);
    }
  }

  image(): Promise<string> {
    this.made ??= this.prepared.run(this.progress, this.job.signal).catch((error: unknown) => {
      throw sourceError(this.job.signal.aborted ? this.job.signal.reason : error, this.source);
    });
    return this.made;
  }

  async close(): Promise<void> {
    await this.made?.catch(() => {});
    await this.prepared.close();
  }
}

import type { Writable } from 'node:stream';
import {
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  apiVersionAtLeast,
  errorMessage,
  type HijackedConnection,
  invalidParameter,
  type ProgressMessage,
  progressLine,
  reply,
} from '@gantry/sdk';
import { BuildKit } from '../buildkit/buildkit';
import type { BuildkitServer } from '../buildkit-server/buildkit-server';
import { onlyTree } from '../context/context-trees';
import { openContext } from '../context/open-context';
import { StepFailed } from '../engine/build-request';
import type { Builder } from '../engine/builder';
import { ClassicProgress } from '../engine/classic-progress';
import { prepareBuild } from '../engine/run-build';
import type { RunningBuilds } from '../engine/running-builds';
import type { BuildCounts } from '../metrics';
import { parseBuildRequest } from './build-options';
import { pruneCache } from './prune';
import { buildOfSession, Uploads } from './session-build';

/** The routes below /build, and those of BuildKit's clients. */
export function buildRoutes(
  builder: Builder,
  builds: RunningBuilds,
  counts: BuildCounts,
  afterBuild: () => void,
  server: BuildkitServer,
): ApiRoute[] {
  const socket = builder.settings.builder.buildkit;
  const buildkit =
    socket === undefined ? undefined : new BuildKit(socket, (archive, signal) => builder.images.load(archive, signal));
  const uploads = new Uploads();
  return [
    {
      method: 'POST',
      path: '/build',
      handle: (request) =>
        request.query.get('version') === '2' && buildkit === undefined
          ? buildOfSession(request, builder, server, uploads)
          : build(request, builder, builds, counts, afterBuild),
    },
    {
      method: 'POST',
      path: '/build/cancel',
      handle({ query }) {
        const id = query.get('id') ?? '';
        if (id === '') throw invalidParameter('build ID not provided');
        // Whoever cancels a build that has ended has what he wants.
        builds.cancel(id);
        return reply.empty(204);
      },
    },
    { method: 'POST', path: '/build/prune', handle: (request) => pruneCache(request, builder) },
    {
      method: 'POST',
      path: '/session',
      flags: { hijack: true },
      async handle(request) {
        const run = buildkit === undefined ? builder.sessions.open(request) : await buildkit.openSession(request);
        return reply.hijack('application/vnd.docker.raw-stream', run);
      },
    },
    {
      method: 'POST',
      path: '/grpc',
      flags: { hijack: true },
      async handle(request) {
        const run =
          buildkit === undefined
            ? (connection: HijackedConnection) => server.serve(connection)
            : await buildkit.openGrpc(request);
        return reply.hijack('application/vnd.docker.raw-stream', run);
      },
    },
  ];
}

async function build(
  request: ApiRequest,
  builder: Builder,
  builds: RunningBuilds,
  counts: BuildCounts,
  afterBuild: () => void,
): Promise<ApiReply> {
  const wanted = parseBuildRequest(request, builder.images, builder.settings.experimental);
  counts.began();
  const open = async (folder: string) => {
    const context = await openContext({ ...wanted, body: request.body }, folder, builder.files, request.signal);
    return { ...context, trees: onlyTree(context.tree) };
  };
  const prepared = await prepareBuild(wanted, builder, open).catch((error: unknown) => {
    counts.hasFailed(error);
    throw error;
  });
  const id = request.query.get('buildid') ?? '';
  let started = false;
  // Whoever leaves before the answer begins leaves it unrun.
  const abandoned = () => {
    if (!started) void prepared.close();
  };
  request.signal.addEventListener('abort', abandoned, { once: true });
  if (request.signal.aborted) abandoned();
  const wantsAux = apiVersionAtLeast(request.apiVersion, '1.30');
  return reply.stream(200, 'application/json', async (out, gone) => {
    started = true;
    const running = builds.begin(id);
    const quiet: ProgressMessage[] = [];
    const lines = new LineWriter(out);
    const send = (message: ProgressMessage) => {
      if (message.aux !== undefined && !wantsAux) return;
      if (wanted.quiet) quiet.push(message);
      else lines.send(message);
    };
    try {
      const signal = AbortSignal.any([gone, running.signal]);
      const imageId = await prepared.run(new ClassicProgress(send, wanted.quiet), signal);
      if (wanted.quiet) lines.send({ stream: `${imageId}\n` });
    } catch (error) {
      for (const message of quiet) lines.send(message);
      const message = running.signal.aborted ? 'Build cancelled' : errorMessage(error);
      counts.hasFailed(gone.aborted ? new Error('Build cancelled') : new Error(message));
      const code = error instanceof StepFailed ? { code: error.code } : {};
      lines.send({ errorDetail: { ...code, message }, error: message });
    } finally {
      await prepared.close();
      running.end();
      afterBuild();
    }
  });
}

/** Writes messages while the client is there. They are small, and a slow client holds up nobody. */
class LineWriter {
  constructor(private readonly out: Writable) {}

  send(message: ProgressMessage): void {
    if (this.out.writable) this.out.write(progressLine(message));
  }
}

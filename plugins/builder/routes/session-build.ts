import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  type ApiReply,
  type ApiRequest,
  errorMessage,
  invalidParameter,
  type ProgressMessage,
  progressLine,
  reply,
} from '@gantry/sdk';
import type { BuildkitServer } from '../buildkit-server/buildkit-server';
import type { ExporterRequest, SolveRequest } from '../buildkit-server/solve-request';
import type { Builder } from '../engine/builder';
import { buildkitDialect } from '../engine/dialect';
import { Pending } from '../engine/pending';
import { uploadPrefix } from '../session/upload';
import { parseBuildQuery } from './build-options';
import { queryJson } from './query';

const uploadRequest = 'upload-request';
const uploadWaitMs = 60_000;

/** Contexts that come in a request of their own, by the id of the build that takes them. */
export class Uploads {
  private readonly waiting = new Map<string, Pending<Readable>>();

  /** Offers a context; resolves when its build has read it, or the client has gone. */
  async offer(id: string, body: Readable, signal: AbortSignal): Promise<void> {
    const ended = new Promise<void>((resolve) => {
      body.once('close', resolve);
      body.once('end', resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.slot(id).resolve(body);
    await ended;
    this.waiting.delete(id);
  }

  /** @throws invalid-parameter  the client sends none */
  async take(id: string, signal: AbortSignal): Promise<Readable> {
    const either = AbortSignal.any([signal, AbortSignal.timeout(uploadWaitMs)]);
    const slot = this.slot(id);
    either.addEventListener('abort', () => slot.reject(invalidParameter(`no context was sent for build ${id}`)), {
      once: true,
    });
    try {
      return await slot.promise;
    } finally {
      this.waiting.delete(id);
    }
  }

  private slot(id: string): Pending<Readable> {
    const known = this.waiting.get(id);
    if (known !== undefined) return known;
    const slot = new Pending<Readable>();
    this.waiting.set(id, slot);
    return slot;
  }
}

/**
 * A build whose client speaks BuildKit, but asks for it by POST /build. The docker CLI did so before it had buildx: the
 * files come over the session, the status goes into the answer. Libraries send the files as the body, and may have no
 * session.
 *
 * @throws invalid-parameter  files are to come from nowhere, or a query that cannot be read
 */
export async function buildOfSession(
  request: ApiRequest,
  builder: Builder,
  server: BuildkitServer,
  uploads: Uploads,
): Promise<ApiReply> {
  const { query } = request;
  const id = query.get('buildid') ?? '';
  if (id.startsWith(`${uploadRequest}:`)) {
    await uploads.offer(id.slice(uploadRequest.length + 1), request.body, request.signal);
    return reply.empty(200);
  }
  const remote = query.get('remote') ?? '';
  if (remote === 'client-session' && !query.get('session'))
    throw invalidParameter('remote=client-session needs the session of its client (session=<id>)');
  if (remote === uploadRequest && id === '') throw invalidParameter('remote=upload-request needs a buildid');
  const solve = await solveOf(request, id === '' ? randomUUID() : id, builder, uploads);
  return reply.stream(200, 'application/json', async (out, gone) => {
    const send = (message: ProgressMessage) => {
      if (out.writable) out.write(progressLine(message));
    };
    let told: Promise<void> | undefined;
    try {
      const response = await server.solve(
        solve,
        (job) => {
          told = job.log.follow((status) => send({ id: 'moby.buildkit.trace', aux: status.toString('base64') }), gone);
        },
        gone,
      );
      await told;
      const imageId = response['containerimage.digest'];
      if (imageId !== undefined) send({ id: 'moby.image.id', aux: { ID: imageId } });
    } catch (error) {
      await told;
      const message = errorMessage(error);
      send({ errorDetail: { message }, error: message });
    }
  });
}

async function solveOf(
  { query, headers, body, signal }: ApiRequest,
  id: string,
  builder: Builder,
  uploads: Uploads,
): Promise<SolveRequest> {
  const parsed = parseBuildQuery({ query, headers }, builder.images);
  if (parsed.squash) throw invalidParameter('squash is not supported by BuildKit: use the classic builder');
  const remote = query.get('remote') ?? '';
  if (remote !== '') body.resume();
  const upload = remote === '' ? body : remote === uploadRequest ? await uploads.take(id, signal) : undefined;
  return {
    ref: id,
    hasDefinition: false,
    exporters: exportersOf(query, parsed.tags),
    session: parsed.session,
    frontend: 'dockerfile.v0',
    attributes: {},
    cacheFrom: parsed.cacheFrom,
    cacheExports: [],
    options: {
      request: {
        ...parsed,
        dialect: buildkitDialect,
        dockerfile: parsed.dockerfile === '' ? 'Dockerfile' : parsed.dockerfile,
        remote: '',
        tags: [],
        remove: true,
        forceRemove: true,
        quiet: false,
      },
      subrequest: '',
      remote: upload !== undefined ? uploadPrefix : remote === 'client-session' ? '' : remote,
      ...(upload === undefined ? {} : { upload }),
      contextDirectory: 'context',
      dockerfileDirectory: 'dockerfile',
      hasOwnDockerfile: false,
      contexts: new Map(),
    },
  };
}

/** `outputs`, or the image with its names. */
function exportersOf(query: URLSearchParams, tags: readonly string[]): ExporterRequest[] {
  const outputs = queryJson(query, 'outputs', 'outputs', Array.isArray) as
    | { Type?: string; Attrs?: Record<string, string> }[]
    | undefined;
  if (outputs === undefined || outputs.length === 0) return [{ type: 'moby', attributes: { name: tags.join(',') } }];
  return outputs
    .filter(({ Type }) => Type !== 'cacheonly')
    .map(({ Type = '', Attrs = {} }) => ({ type: Type, attributes: { name: tags.join(','), ...Attrs } }));
}

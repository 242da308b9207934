import {
  type ApiReply,
  type ApiRequest,
  type ApiRoute,
  errorMessage,
  invalidParameter,
  notModified,
  reply,
} from '@gantry/sdk';
import { createContainer, renameContainer } from '../create/create-container';
import type { Engine } from '../engine';
import type { CheckpointReference } from '../run/checkpoint-container';
import { settleExit } from '../run/exit-handler';
import { removeContainer } from '../run/remove-container';
import { startContainer } from '../run/start-container';
import {
  killContainer,
  pauseContainer,
  restartContainer,
  stopContainer,
  unpauseContainer,
} from '../run/stop-container';
import { checkpointOf } from './checkpoint-routes';
import { Inspections } from './inspections';
import { LIST_FILTERS, parseFilters, selectContainers } from './list-filters';
import { inspectShims, listShims, seesItAsItIs, stopSignalOf } from './older-clients';
import { parseCreate, queryFlag, queryInteger } from './parse-request';
import { renderInspect } from './render-inspect';
import { ListRenderer, renderListItem, statusText } from './render-list';
import { shownImages } from './shown-images';

/** Routes of a container's life: create, start, stop, … and the two that look at it. */
export function containerRoutes(engine: Engine): ApiRoute[] {
  const list = new ListRenderer(engine);
  const inspections = new Inspections(engine);
  const id = (request: ApiRequest) => request.params.id ?? '';
  const post = (path: string, handle: (request: ApiRequest) => Promise<ApiReply>): ApiRoute => ({
    method: 'POST',
    path: `/containers/${path}`,
    handle,
  });
  const done = reply.empty(204);

  return [
    post('create', async (request) => {
      const made = await createContainer(await parseCreate(request, engine.host.cgroupVersion), engine, request.signal);
      return reply.json(201, { Id: made.id, Warnings: made.warnings });
    }),
    {
      method: 'GET',
      path: '/containers/json',
      shims: listShims,
      handle: async (request) => {
        const { query } = request;
        const containers = await selectContainers(
          {
            all: queryFlag(query, 'all'),
            limit: queryInteger(query, 'limit') ?? 0,
            filters: parseFilters(query.get('filters'), LIST_FILTERS),
          },
          engine,
        );
        const withSize = queryFlag(query, 'size');
        if (!withSize && seesItAsItIs(request, listShims))
          return reply.raw(200, 'application/json', await list.render(containers));
        const shown = await shownImages(containers, engine);
        const nowMs = engine.clock.now().getTime();
        return reply.json(
          200,
          await Promise.all(
            containers.map(async (container) => {
              const sizes = withSize ? await engine.images.rootFilesystemSize(container.id) : undefined;
              return {
                ...renderListItem(
                  container,
                  { status: statusText(container, nowMs).text, image: shown(container) },
                  engine,
                ),
                ...(sizes ? { SizeRw: sizes.sizeRw, SizeRootFs: sizes.sizeRootFs } : {}),
              };
            }),
          ),
        );
      },
    },
    {
      method: 'GET',
      path: '/containers/{id}/json',
      shims: inspectShims,
      handle: async (request) => {
        const container = engine.index.get(id(request));
        if (queryFlag(request.query, 'size')) {
          const sizes = await engine.images.rootFilesystemSize(container.id);
          return reply.json(200, renderInspect(container, engine, request.apiVersion, sizes));
        }
        return seesItAsItIs(request, inspectShims)
          ? reply.raw(200, 'application/json', inspections.render(container, request.apiVersion))
          : reply.json(200, renderInspect(container, engine, request.apiVersion));
      },
    },
    post('{id}/start', async (request) => {
      await assertNoBody(request);
      // A start goes on when its client leaves: half a start helps nobody.
      await startAndTidy(id(request), checkpointOf(request, engine), engine);
      return done;
    }),
    post('{id}/stop', async (request) => {
      await stopContainer(id(request), stopOptions(request), engine);
      return done;
    }),
    post('{id}/restart', async (request) => {
      await restartContainer(id(request), stopOptions(request), engine, new AbortController().signal);
      return done;
    }),
    post('{id}/kill', async (request) => {
      await killContainer(id(request), request.query.get('signal') ?? '', engine);
      return done;
    }),
    post('{id}/pause', async (request) => {
      await pauseContainer(id(request), engine);
      return done;
    }),
    post('{id}/unpause', async (request) => {
      await unpauseContainer(id(request), engine);
      return done;
    }),
    post('{id}/rename', async (request) => {
      await renameContainer(id(request), request.query.get('name') ?? '', engine);
      return done;
    }),
    {
      method: 'DELETE',
      path: '/containers/{id}',
      handle: async (request) => {
        if (queryFlag(request.query, 'link'))
          throw invalidParameter('removing a link is not possible: links are part of the container that has them');
        await removeContainer(
          id(request),
          { force: queryFlag(request.query, 'force'), volumes: queryFlag(request.query, 'v') },
          engine,
        );
        return done;
      },
    },
  ];
}

/** A container with `--rm` that could not be started is removed like one that ended. */
async function startAndTidy(reference: string, from: CheckpointReference | undefined, engine: Engine): Promise<void> {
  const container = engine.index.get(reference);
  await settleExit(container, engine);
  if (['running', 'restarting'].includes(container.state.status)) throw notModified('Container is already started');
  try {
    await startContainer(container.id, engine, new AbortController().signal, from);
  } catch (error) {
    if (container.record.hostConfig.AutoRemove && container.state.error !== '')
      await removeContainer(container.id, { force: true, volumes: true }, engine).catch((cause: unknown) => {
        engine.log.warn('removing a container that could not be started failed', {
          id: container.id,
          error: errorMessage(cause),
        });
      });
    throw error;
  }
}

function stopOptions(request: ApiRequest) {
  return { signal: stopSignalOf(request), timeoutS: queryInteger(request.query, 't') };
}

/** @throws invalid-parameter  a start takes no body any more; one too small to be a document is let pass */
async function assertNoBody(request: ApiRequest): Promise<void> {
  const length = Number(request.headers['content-length'] ?? 0);
  if (length <= 7 && request.headers['transfer-encoding'] === undefined) return;
  for await (const chunk of request.body as AsyncIterable<Buffer>)
    if (chunk.length > 0)
      throw invalidParameter(
        'starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24',
      );
}

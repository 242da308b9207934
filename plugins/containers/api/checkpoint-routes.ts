import { type ApiRequest, type ApiRoute, notImplemented, reply } from '@gantry/sdk';
import { flag, struct, text } from '@gantry/sdk/decode';
import type { Engine } from '../engine';
import {
  type CheckpointReference,
  createCheckpoint,
  deleteCheckpoint,
  listCheckpoints,
} from '../run/checkpoint-container';

const createDocument = struct({ CheckpointID: text, CheckpointDir: text, Exit: flag });

/** What the state of a container's processes on disk is asked for by. As with dockerd, only in experimental mode. */
export function checkpointRoutes(engine: Engine): ApiRoute[] {
  const route = (
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    handle: (request: ApiRequest, id: string) => ReturnType<ApiRoute['handle']>,
  ): ApiRoute => ({
    method,
    path: `/containers/{id}/checkpoints${path}`,
    handle: async (request) => {
      const { id } = engine.index.get(request.params.id ?? '');
      assertExperimental(engine);
      return handle(request, request.params.id ?? id);
    },
  });
  return [
    route('GET', '', async ({ query }, id) => {
      const names = await listCheckpoints(id, query.get('dir') ?? '', engine);
      return reply.json(
        200,
        names.map((Name) => ({ Name })),
      );
    }),
    route('POST', '', async (request, id) => {
      const { CheckpointID, CheckpointDir, Exit } = createDocument.decode(await request.json(), '');
      await createCheckpoint(id, { name: CheckpointID, directory: CheckpointDir }, { exit: Exit }, engine);
      return reply.empty(201);
    }),
    route('DELETE', '/{checkpoint}', async ({ query, params }, id) => {
      const checkpoint = { name: params.checkpoint ?? '', directory: query.get('dir') ?? '' };
      await deleteCheckpoint(id, checkpoint, engine);
      return reply.empty(204);
    }),
  ];
}

/** The checkpoint that a start is to go on from; undefined for an ordinary start. */
export function checkpointOf({ query }: ApiRequest, engine: Engine): CheckpointReference | undefined {
  const name = query.get('checkpoint') ?? '';
  if (name === '') return undefined;
  assertExperimental(engine);
  return { name, directory: query.get('checkpoint-dir') ?? '' };
}

function assertExperimental({ settings }: Engine): void {
  if (!settings.experimental)
    throw notImplemented(
      'This experimental feature is disabled by default. Start the daemon in experimental mode ("experimental": true) in order to enable it; checkpoints also need criu',
    );
}

import { type ApiRoute, apiVersionAtLeast, invalidParameter, reply } from '@gantry/sdk';
import { updateDocument } from '../config/container-config';
import type { Engine } from '../engine';
import { writeStats } from '../inspect/stats';
import { listProcesses } from '../inspect/top';
import { pruneContainers } from '../run/prune-containers';
import { updateContainer } from '../run/update-container';
import { parseFilters } from './list-filters';
import { knowsOneShot, updateShims } from './older-clients';
import { queryFlag } from './parse-request';

/** Routes that look into running containers, change their limits, and tidy up. */
export function observeRoutes(engine: Engine): ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/containers/{id}/top',
      handle: async (request) => {
        const table = await listProcesses(request.params.id ?? '', request.query.get('ps_args') ?? '', engine);
        return reply.json(200, { Titles: table.titles, Processes: table.processes });
      },
    },
    {
      method: 'GET',
      path: '/containers/{id}/stats',
      handle: (request) => {
        const container = engine.index.get(request.params.id ?? '');
        const { query } = request;
        const stream = query.get('stream') === null ? true : queryFlag(query, 'stream');
        const oneShot = knowsOneShot(request) && queryFlag(query, 'one-shot');
        if (stream && oneShot) throw invalidParameter('cannot have stream=true and one-shot=true');
        const options = { stream, oneShot };
        return reply.stream(200, 'application/json', (out, signal) =>
          writeStats(container, out, options, engine, signal),
        );
      },
    },
    {
      method: 'GET',
      path: '/containers/{id}/changes',
      handle: async (request) => {
        const container = engine.index.get(request.params.id ?? '');
        const changes = await engine.images.rootFilesystemChanges(container.id);
        return reply.json(
          200,
          changes.length === 0 ? null : changes.map(({ path, kind }) => ({ Path: path, Kind: kind })),
        );
      },
    },
    {
      method: 'POST',
      path: '/containers/{id}/update',
      shims: updateShims,
      handle: async (request) => {
        const reference = request.params.id ?? '';
        const asked = updateDocument.decode(await request.json(), '');
        engine.index.get(reference);
        // Not looked at any more since 1.42.
        if (apiVersionAtLeast(request.apiVersion, '1.42')) delete asked.KernelMemory;
        const warnings = await updateContainer(reference, asked, engine);
        return reply.json(200, { Warnings: warnings.length > 0 ? warnings : null });
      },
    },
    {
      method: 'POST',
      path: '/containers/prune',
      handle: async (request) => {
        const filters = parseFilters(request.query.get('filters'), ['until', 'label', 'label!']);
        const { deleted, reclaimedBytes } = await pruneContainers(filters, engine, request.signal);
        return reply.json(200, {
          ContainersDeleted: deleted.length > 0 ? deleted : null,
          SpaceReclaimed: reclaimedBytes,
        });
      },
    },
  ];
}

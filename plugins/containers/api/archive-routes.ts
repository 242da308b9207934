import { type ApiRequest, type ApiRoute, invalidParameter, reply } from '@gantry/sdk';
import { exportContainer, packFromContainer, statInContainer, unpackIntoContainer } from '../archive/container-archive';
import type { PathStat } from '../archive/path-stat';
import { type Engine, publish } from '../engine';
import { queryFlag } from './parse-request';

/** Routes of `docker cp` and `docker export`. */
export function archiveRoutes(engine: Engine): ApiRoute[] {
  const path = '/containers/{id}/archive';
  const find = (request: ApiRequest) => engine.index.get(request.params.id ?? '');
  return [
    {
      method: 'HEAD',
      path,
      handle: async (request) => {
        const stat = await statInContainer(request.params.id ?? '', pathOf(request), engine, request.signal);
        return reply.empty(200, statHeader(stat));
      },
    },
    {
      method: 'GET',
      path,
      handle: async (request) => {
        const container = find(request);
        const archive = await packFromContainer(request.params.id ?? '', pathOf(request), engine, request.signal);
        publish(engine, container, 'archive-path');
        return reply.stream(
          200,
          'application/x-tar',
          (out, signal) => archive.sendTo(out, signal),
          statHeader(archive.stat),
        );
      },
    },
    {
      method: 'PUT',
      path,
      handle: async (request) => {
        const options = {
          noOverwriteDirNonDir: queryFlag(request.query, 'noOverwriteDirNonDir'),
          copyUidGid: queryFlag(request.query, 'copyUIDGID'),
        };
        const { body, signal } = request;
        const container = find(request);
        await unpackIntoContainer(request.params.id ?? '', pathOf(request), body, options, engine, signal);
        publish(engine, container, 'extract-to-dir');
        return reply.empty(200);
      },
    },
    {
      method: 'GET',
      path: '/containers/{id}/export',
      handle: async (request) => {
        const container = find(request);
        const archive = await exportContainer(container.id, engine, request.signal);
        return reply.stream(200, 'application/octet-stream', async (out, signal) => {
          await archive.sendTo(out, signal);
          publish(engine, container, 'export');
        });
      },
    },
  ];
}

/** @throws invalid-parameter */
function pathOf({ query }: ApiRequest): string {
  const path = query.get('path') ?? '';
  if (path === '') throw invalidParameter('bad parameter: path cannot be empty');
  return path;
}

const statHeader = (stat: PathStat): Record<string, string> => ({
  'X-Docker-Container-Path-Stat': Buffer.from(JSON.stringify(stat)).toString('base64'),
});

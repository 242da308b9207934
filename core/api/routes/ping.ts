import { type ApiReply, type ApiRoute, reply } from '@gantry/sdk';
import type { ApiServerDeps } from '../api-server';

/** @see Docker Engine API, GET and HEAD /_ping */
export function pingRoutes({ settings }: Pick<ApiServerDeps, 'settings'>): ApiRoute[] {
  const headers = Object.freeze({
    // 2 is BuildKit, 1 the builder without it.
    'Builder-Version': settings.builder.buildkit === undefined ? '1' : '2',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: 'inactive',
  });
  const answer = reply.raw(200, 'text/plain; charset=utf-8', 'OK', headers);
  const emptyAnswer: ApiReply = { ...answer, body: '' } as ApiReply;
  return [
    { method: 'GET', path: '/_ping', handle: () => answer },
    { method: 'HEAD', path: '/_ping', handle: () => emptyAnswer },
  ];
}

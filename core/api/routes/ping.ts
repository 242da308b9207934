import { type ApiReply, type ApiRoute, reply } from '@gantry/sdk';

/** @see Docker Engine API, GET and HEAD /_ping */
export function pingRoutes(): ApiRoute[] {
  const answer: ApiReply = reply.raw(200, 'text/plain; charset=utf-8', 'OK', {
    // The classic builder: there is no BuildKit to upgrade to.
    'Builder-Version': '1',
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: 'inactive',
  });
  const emptyAnswer: ApiReply = { ...answer, body: '' } as ApiReply;
  return [
    { method: 'GET', path: '/_ping', handle: () => answer },
    { method: 'HEAD', path: '/_ping', handle: () => emptyAnswer },
  ];
}

import { type ApiReply, type ApiRoute, reply } from '@gantry/sdk';
import type { ApiServerDeps } from '../api-server';

/** @see Docker Engine API, GET and HEAD /_ping */
export function pingRoutes({ settings }: Pick<ApiServerDeps, 'settings'>): ApiRoute[] {
  // Both builders are there; this is the one that clients that know both should take.
  const [buildkit, classic] = [answersOf('2'), answersOf('1')];
  const answers = () => (settings.builder.prefersBuildkit ? buildkit : classic);
  return [
    { method: 'GET', path: '/_ping', handle: () => answers().full },
    { method: 'HEAD', path: '/_ping', handle: () => answers().empty },
  ];
}

/** @param builder 2 is BuildKit, 1 the classic one */
function answersOf(builder: '1' | '2'): { readonly full: ApiReply; readonly empty: ApiReply } {
  const headers = Object.freeze({
    'Builder-Version': builder,
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: 'inactive',
  });
  const full = reply.raw(200, 'text/plain; charset=utf-8', 'OK', headers);
  return { full, empty: { ...full, body: '' } as ApiReply };
}

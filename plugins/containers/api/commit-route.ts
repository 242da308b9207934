import { type ApiRoute, reply } from '@gantry/sdk';
import { configDocument } from '../config/container-config';
import type { Engine } from '../engine';
import { commitContainer } from '../run/commit-container';
import { queryFlag } from './parse-request';

/** @see Engine API, ImageCommit */
export function commitRoute(engine: Engine): ApiRoute {
  return {
    method: 'POST',
    path: '/commit',
    handle: async (request) => {
      const { query } = request;
      const body = await request.json();
      const repository = query.get('repo') ?? '';
      const tag = query.get('tag') ?? '';
      const Id = await commitContainer(
        query.get('container') ?? '',
        {
          tag: repository === '' ? undefined : tag === '' ? repository : `${repository}:${tag}`,
          author: query.get('author') ?? '',
          comment: query.get('comment') ?? '',
          pause: (query.get('pause') ?? '') === '' || queryFlag(query, 'pause'),
          changes: query.getAll('changes'),
          config: body === undefined || body === null ? undefined : configDocument.decode(body, ''),
        },
        engine,
        request.signal,
      );
      return reply.json(201, { Id });
    },
  };
}

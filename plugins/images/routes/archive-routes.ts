import { type ApiRequest, type ApiRoute, invalidParameter, reply } from '@gantry/sdk';
import { queryFlag } from '../engine/filters';
import { loadImages } from '../engine/load';
import { saveImages } from '../engine/save';
import type { Stores } from '../engine/stores';
import { type Platform, parsePlatformJson } from '../registry/platform';
import { progressReply } from './progress-reply';

/** Archives in and out. */
export function archiveRoutes(stores: Stores): readonly ApiRoute[] {
  const save = async (names: readonly string[], request: ApiRequest) => {
    const archive = await saveImages(names, platformOf(request), stores);
    return reply.stream(200, 'application/x-tar', (out, signal) => archive.write(out, signal));
  };
  return [
    {
      method: 'POST',
      path: '/images/load',
      handle: (request) => {
        const options = { quiet: queryFlag(request.query, 'quiet', true), platform: platformOf(request) };
        return progressReply(request, (progress, signal) =>
          loadImages(request.body, options, stores, progress, signal).catch((error: unknown) => {
            // An archive is judged after the answer has begun, as clients of dockerd are used to.
            if (signal.aborted) throw error;
            progress.fail(error);
          }),
        );
      },
    },
    { method: 'GET', path: '/images/get', handle: (request) => save(request.query.getAll('names'), request) },
    { method: 'GET', path: '/images/{name...}/get', handle: (request) => save([request.params.name!], request) },
  ];
}

function platformOf({ query }: ApiRequest): Platform | undefined {
  if (query.getAll('platform').length > 1) throw invalidParameter('multiple platform parameters not supported');
  const text = query.get('platform');
  return text ? parsePlatformJson(text) : undefined;
}

import { type ApiRoute, apiVersionAtLeast, invalidParameter, reply } from '@gantry/sdk';
import { parseFilters, queryFlag } from '../engine/filters';
import { imageHistory } from '../engine/history';
import { listImages } from '../engine/list';
import { pruneImages } from '../engine/prune';
import { removeImage } from '../engine/remove';
import { assertPlatform, parseTagTarget, resolveImage } from '../engine/resolve';
import type { Stores } from '../engine/stores';
import { tagImage } from '../engine/tag';
import { parsePlatformJson } from '../registry/platform';
import type { StoredImage } from '../store/image-store';
import { inspectShims, listShims, renderInspect, renderSummary } from './render-image';

const listFilters = ['dangling', 'label', 'before', 'since', 'until', 'reference'];
const pruneFilters = ['dangling', 'label', 'label!', 'until'];

/** Routes that show and change what is there. */
export function imageRoutes(stores: Stores): readonly ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/images/json',
      shims: listShims,
      // "manifests" is an offer to show them: an engine that keeps one platform per image has none to show.
      handle({ query, apiVersion }) {
        const filters = parseFilters(query.get('filters'), listFilters);
        const legacy = apiVersionAtLeast(apiVersion, '1.41') ? null : query.get('filter');
        const all = legacy ? new Map([...filters, ['reference', [legacy]]]) : filters;
        const sharedSize = queryFlag(query, 'shared-size');
        const images = listImages({ all: queryFlag(query, 'all'), filters: all, sharedSize }, stores);
        return reply.json(
          200,
          images.map((listed) => renderSummary(listed, stores.users.containersUsing(listed.image.id).length)),
        );
      },
    },
    {
      method: 'GET',
      path: '/images/{name...}/json',
      shims: inspectShims,
      handle({ params, query, apiVersion }) {
        return reply.json(200, renderInspect(find(params.name!, query, stores), stores, apiVersion));
      },
    },
    {
      method: 'GET',
      path: '/images/{name...}/history',
      handle: ({ params, query }) => reply.json(200, imageHistory(find(params.name!, query, stores), stores)),
    },
    {
      method: 'POST',
      path: '/images/{name...}/tag',
      async handle({ params, query }) {
        const target = parseTagTarget(query.get('repo') ?? '', query.get('tag') ?? '');
        await stores.change(() => tagImage(resolveImage(params.name!, stores), target, stores));
        return reply.empty(201);
      },
    },
    {
      method: 'DELETE',
      path: '/images/{name...}',
      async handle({ params, query }) {
        const name = params.name!;
        if (name.trim() === '') throw invalidParameter('image name cannot be blank');
        if (query.has('platforms'))
          throw invalidParameter('platforms: not available, this engine stores one platform per image');
        const options = { force: queryFlag(query, 'force'), prune: !queryFlag(query, 'noprune') };
        return reply.json(200, await stores.change(() => removeImage(name, options, stores)));
      },
    },
    {
      method: 'POST',
      path: '/images/prune',
      async handle({ query, signal }) {
        const filters = parseFilters(query.get('filters'), pruneFilters);
        const { records, reclaimedBytes } = await pruneImages(filters, stores, signal);
        return reply.json(200, {
          ImagesDeleted: records.length > 0 ? records : null,
          SpaceReclaimed: reclaimedBytes,
        });
      },
    },
  ];
}

/** The image a request names, if it is for the platform the request may ask for. */
function find(name: string, query: URLSearchParams, stores: Stores): StoredImage {
  const image = resolveImage(name, stores);
  const platform = query.get('platform');
  assertPlatform(image, name, platform ? parsePlatformJson(platform) : undefined);
  return image;
}

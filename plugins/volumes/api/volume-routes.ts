import { type ApiRoute, apiVersionAtLeast, reply, unavailable } from '@gantry/sdk';
import { type PruneDeps, pruneVolumes } from '../prune';
import type { VolumeStore } from '../volume-store';
import { parseCreateRequest } from './create-request';
import { renderVolume } from './render-volume';
import { booleanFilter, matches, parseFilters, pruneAll } from './volume-filters';

/** The operations below /volumes. @see Docker Engine API, tag Volume */
export function volumeRoutes(store: VolumeStore, prune: PruneDeps): ApiRoute[] {
  return [
    {
      method: 'GET',
      path: '/volumes',
      async handle({ query, signal }) {
        const filters = parseFilters(query.get('filters'), ['dangling', 'driver', 'label', 'name']);
        const dangling = booleanFilter(filters, 'dangling');
        const { volumes, warnings } = await store.list(signal);
        const wanted = volumes.filter(
          (volume) =>
            matches(filters, volume) &&
            (dangling === undefined || (store.referencedBy(volume.name).length === 0) === dangling),
        );
        return reply.json(200, {
          // List does not show the status map: it may be expensive or large.
          Volumes: wanted.map((volume) => renderVolume({ ...volume, status: undefined })),
          Warnings: warnings.length === 0 ? null : warnings,
        });
      },
    },
    {
      method: 'POST',
      path: '/volumes/create',
      async handle(request) {
        const volume = await store.create(parseCreateRequest(await request.json()), request.signal);
        return reply.json(201, renderVolume({ ...volume, status: undefined }));
      },
    },
    {
      method: 'POST',
      path: '/volumes/prune',
      since: '1.25',
      async handle({ query, apiVersion, signal }) {
        const filters = parseFilters(query.get('filters'), ['label', 'label!', 'all']);
        // Older clients expect named volumes to go as well.
        const all = pruneAll(filters, !apiVersionAtLeast(apiVersion, '1.42'));
        const report = await pruneVolumes(store, prune, filters, all, signal);
        return reply.json(200, { VolumesDeleted: report.deleted, SpaceReclaimed: report.reclaimedBytes });
      },
    },
    {
      method: 'GET',
      path: '/volumes/{name...}',
      async handle({ params, signal }) {
        return reply.json(200, renderVolume(await store.get(params.name ?? '', signal)));
      },
    },
    {
      method: 'PUT',
      path: '/volumes/{name...}',
      since: '1.42',
      handle() {
        throw unavailable('volume update only valid for cluster volumes, but swarm is unavailable');
      },
    },
    {
      method: 'DELETE',
      path: '/volumes/{name...}',
      async handle({ params, query, signal }) {
        await store.remove(params.name ?? '', { force: isTrue(query.get('force')) }, signal);
        return reply.empty(204);
      },
    },
  ];
}

/** A boolean query parameter as dockerd reads it. */
function isTrue(value: string | null): boolean {
  return value !== null && !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
}

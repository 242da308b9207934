import { type ApiRoute, invalidParameter, reply } from '@gantry/sdk';
import type { CoreRouteDeps } from './core-routes';
import { diskUsageShims } from './older-clients';

const diskUsageTypes = ['container', 'image', 'volume', 'build-cache'] as const;
type DiskUsageType = (typeof diskUsageTypes)[number];

/** What an answer has when nobody contributes it, by type. */
const emptyParts: Readonly<Record<DiskUsageType, Record<string, unknown>>> = {
  image: { LayersSize: 0, Images: [] },
  container: { Containers: [] },
  volume: { Volumes: [] },
  'build-cache': { BuildCache: [] },
};

/** @see Docker Engine API, GET /system/df */
export function diskUsageRoute(deps: CoreRouteDeps): ApiRoute {
  return {
    method: 'GET',
    path: '/system/df',
    shims: diskUsageShims,
    handle: async (request) => {
      await deps.starting();
      const types = wantedTypes(request.query.getAll('type'));
      const answer: Record<string, unknown> = {};
      for (const type of diskUsageTypes) if (types.has(type)) Object.assign(answer, emptyParts[type]);
      // Numbers must be whole or absent: unlike in info, a plugin that fails fails the request.
      const parts = await Promise.all(deps.systemInfo().map(async ([, info]) => info.diskUsage?.(types)));
      return reply.json(200, Object.assign(answer, ...parts.filter((part) => part !== undefined)));
    },
  };
}

function wantedTypes(names: readonly string[]): ReadonlySet<DiskUsageType> {
  if (names.length === 0) return new Set(diskUsageTypes);
  for (const name of names) {
    if (!diskUsageTypes.includes(name as DiskUsageType)) throw invalidParameter(`unknown object type: ${name}`);
  }
  return new Set(names as DiskUsageType[]);
}

import { type ApiRequest, type ApiRoute, apiVersionAtLeast, invalidParameter, reply } from '@gantry/sdk';
import type { CoreRouteDeps } from './core-routes';
import { diskUsageShims } from './older-clients';

const diskUsageTypes = ['container', 'image', 'volume', 'build-cache'] as const;
type DiskUsageType = (typeof diskUsageTypes)[number];
type Parts = Readonly<Record<string, unknown>>;

/** What an answer has when nobody contributes a type, and when it was not asked for. */
const emptyParts: Readonly<Record<DiskUsageType, { readonly none: Parts; readonly unasked: Parts }>> = {
  image: { none: { LayersSize: 0, Images: [] }, unasked: { LayersSize: 0, Images: null } },
  container: { none: { Containers: [] }, unasked: { Containers: null } },
  volume: { none: { Volumes: [] }, unasked: { Volumes: null } },
  'build-cache': { none: { BuildCache: [] }, unasked: { BuildCache: null } },
};

/** @see Docker Engine API, GET /system/df */
export function diskUsageRoute(deps: CoreRouteDeps): ApiRoute {
  const walks = new Map<DiskUsageType, Promise<Parts>>();

  /** What plugins say about one type. Those who ask while it is being found out share the answer. */
  function usageOf(type: DiskUsageType): Promise<Parts> {
    const running = walks.get(type);
    if (running !== undefined) return running;
    const only = new Set([type]);
    // Numbers must be whole or absent: unlike in info, a plugin that fails fails the request.
    const walk = Promise.all(deps.systemInfo().map(async ([, info]) => info.diskUsage?.(only)))
      .then((parts) => Object.assign({}, emptyParts[type].none, ...parts.filter((part) => part !== undefined)) as Parts)
      .finally(() => walks.delete(type));
    walks.set(type, walk);
    return walk;
  }

  return {
    method: 'GET',
    path: '/system/df',
    shims: diskUsageShims,
    handle: async (request) => {
      await deps.starting();
      const wanted = wantedTypes(request);
      const parts = diskUsageTypes.map((type) => (wanted.has(type) ? usageOf(type) : emptyParts[type].unasked));
      return reply.json(200, Object.assign({ LayersSize: 0 }, ...(await Promise.all(parts))));
    },
  };
}

/** @throws invalid-parameter  there is no such type */
function wantedTypes({ query, apiVersion }: ApiRequest): ReadonlySet<DiskUsageType> {
  const names = query.getAll('type');
  if (names.length === 0 || !apiVersionAtLeast(apiVersion, '1.42')) return new Set(diskUsageTypes);
  for (const name of names) {
    if (!diskUsageTypes.includes(name as DiskUsageType)) throw invalidParameter(`unknown object type: ${name}`);
  }
  return new Set(names as DiskUsageType[]);
}

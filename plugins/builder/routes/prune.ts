import { type ApiReply, type ApiRequest, invalidParameter, reply } from '@gantry/sdk';
import { parsePruneFilters, removePrunable } from '../cache/prunable';
import type { Builder } from '../engine/builder';
import { queryFlag, queryInteger } from './query';

/** @see Docker Engine API, POST /build/prune */
export async function pruneCache({ query }: ApiRequest, builder: Builder): Promise<ApiReply> {
  const all = queryFlag(query, 'all');
  const reserved = queryInteger(query, 'reserved-space') ?? queryInteger(query, 'keep-storage') ?? 0;
  const maximum = queryInteger(query, 'max-used-space') ?? 0;
  const minimumFree = queryInteger(query, 'min-free-space') ?? 0;
  if (minimumFree !== 0)
    throw invalidParameter('min-free-space is not supported: use reserved-space or max-used-space');
  const fits = parsePruneFilters(query.get('filters') ?? '');
  const { removed, reclaimed } = await removePrunable(builder, { all, keepBytes: Math.max(reserved, maximum), fits });
  return reply.json(200, {
    CachesDeleted: removed.length === 0 ? null : removed.map(({ id }) => id),
    SpaceReclaimed: reclaimed,
  });
}

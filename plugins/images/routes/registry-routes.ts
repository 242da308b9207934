import { type ApiRequest, type ApiRoute, invalidParameter, reply } from '@gantry/sdk';
import { authenticate } from '../engine/authenticate';
import { inspectDistribution } from '../engine/distribution';
import { parseFilters } from '../engine/filters';
import { importImage } from '../engine/import';
import { pullImage } from '../engine/pull';
import { pushImage } from '../engine/push';
import { parseTagTarget } from '../engine/resolve';
import { searchRegistry } from '../engine/search';
import type { Stores } from '../engine/stores';
import { assertTag, parseReference, type Reference, withDefaultTag } from '../reference/reference';
import { credentialsOf, parseRegistryAuth } from '../registry/credentials';
import { parsePlatform } from '../registry/platform';
import { progressReply } from './progress-reply';

/** Routes that talk to registries. */
export function registryRoutes(stores: Stores): readonly ApiRoute[] {
  return [
    {
      method: 'POST',
      path: '/images/create',
      handle(request) {
        const { query } = request;
        if (query.get('fromImage')) return pull(request, stores);
        if (query.get('fromSrc')) return importFrom(request, stores);
        throw invalidParameter('one of fromImage and fromSrc is needed');
      },
    },
    {
      method: 'POST',
      path: '/images/{name...}/push',
      handle(request) {
        const { params, query, headers } = request;
        refusePushPlatform(query);
        const reference = parseReference(params.name!);
        const tag = query.get('tag') ?? '';
        const pushRequest = {
          reference: tag === '' ? reference : { ...reference, ...parseTagOnly(tag) },
          credentials: parseRegistryAuth(headers['x-registry-auth']),
        };
        return progressReply(request, (progress, signal) => pushImage(pushRequest, stores, progress, signal));
      },
    },
    {
      method: 'GET',
      path: '/distribution/{name...}/json',
      async handle({ params, headers, signal }) {
        const reference = withDefaultTag(parseReference(params.name!));
        const credentials = parseRegistryAuth(headers['x-registry-auth']);
        return reply.json(200, await inspectDistribution(reference, credentials, stores, signal));
      },
    },
    {
      method: 'POST',
      path: '/auth',
      flags: { sensitiveBody: true },
      async handle(request) {
        const credentials = credentialsOf(await request.json());
        return reply.json(200, await authenticate(credentials, stores, request.signal));
      },
    },
    {
      method: 'GET',
      path: '/images/search',
      async handle({ query, headers, signal }) {
        const searchRequest = {
          term: query.get('term') ?? '',
          limit: parseLimit(query.get('limit')),
          filters: parseFilters(query.get('filters'), ['is-automated', 'is-official', 'stars']),
          credentials: parseRegistryAuth(headers['x-registry-auth']),
        };
        return reply.json(200, await searchRegistry(searchRequest, stores, signal));
      },
    },
  ];
}

function pull(request: ApiRequest, stores: Stores) {
  const { query, headers } = request;
  const platform = query.get('platform');
  const pullRequest = {
    reference: pullReference(query.get('fromImage')!, query.get('tag') ?? ''),
    platform: platform ? parsePlatform(platform) : undefined,
    credentials: parseRegistryAuth(headers['x-registry-auth']),
  };
  return progressReply(request, (progress, signal) => pullImage(pullRequest, stores, progress, signal));
}

function importFrom(request: ApiRequest, stores: Stores) {
  const { query } = request;
  const repository = query.get('repo') ?? '';
  const asked = query.get('platform');
  const platform = asked ? parsePlatform(asked) : undefined;
  if (platform !== undefined && platform.os !== 'linux') throw invalidParameter('operating system is not supported');
  const importRequest = {
    source: query.get('fromSrc')!,
    tag: repository === '' ? undefined : parseTagTarget(repository, query.get('tag') ?? ''),
    message: query.get('message') ?? '',
    changes: query.getAll('changes'),
    platform,
  };
  return progressReply(request, (progress, signal) =>
    importImage(importRequest, request.body, stores, progress, signal),
  );
}

const defaultLimit = 25;

/** Absent and 0 mean the usual number. @throws invalid-parameter in the words of Go's strconv */
function parseLimit(text: string | null): number {
  if (text === null || text === '') return defaultLimit;
  if (!/^[+-]?\d+$/.test(text)) throw invalidParameter(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text) || defaultLimit;
}

function refusePushPlatform(query: URLSearchParams): void {
  if (query.get('platform'))
    throw invalidParameter('platform: not available for push, this engine stores one platform per image');
}

/** `tag` may be a digest, and wins over one in the name. @throws invalid-parameter */
function pullReference(name: string, tag: string): Reference {
  const reference = parseReference(name);
  if (tag === '') return reference;
  if (tag.includes(':')) return parseReference(`${name.split('@')[0]}@${tag}`);
  return { ...reference, ...parseTagOnly(tag), digest: reference.digest };
}

function parseTagOnly(tag: string): { tag: string } {
  assertTag(tag);
  return { tag };
}

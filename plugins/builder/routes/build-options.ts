import { type ApiRequest, type ImageManager, invalidParameter } from '@gantry/sdk';
import type { BuildRequest } from '../engine/build-request';
import { classicDialect } from '../engine/dialect';
import { queryFlag, queryInteger, queryJson } from './query';

/**
 * Reads the query and headers of a build.
 *
 * @throws invalid-parameter  a value that cannot be read, or something this builder does not do
 * @see Docker Engine API, POST /build
 */
export function parseBuildRequest(
  { query, headers }: ApiRequest,
  images: Pick<ImageManager, 'checkTag'>,
  experimental: boolean,
): BuildRequest {
  refuseForeign(query);
  const request = parseBuildQuery({ query, headers }, images);
  if (request.squash && !experimental) throw invalidParameter('squash is only supported with experimental mode');
  return request;
}

/** The same for either builder. @throws invalid-parameter  a value that cannot be read */
export function parseBuildQuery(
  { query, headers }: Pick<ApiRequest, 'query' | 'headers'>,
  images: Pick<ImageManager, 'checkTag'>,
): BuildRequest {
  const flag = (name: string) => queryFlag(query, name);
  const text = (name: string) => query.get(name) ?? '';
  return {
    dockerfile: text('dockerfile'),
    remote: text('remote'),
    tags: [...new Set(query.getAll('t').filter((tag) => tag !== ''))].map((tag) => images.checkTag(tag)),
    buildArgs: queryJson(query, 'buildargs', 'build args', isTextOrNullMap) ?? {},
    labels: queryJson(query, 'labels', 'labels', isTextMap) ?? {},
    target: text('target'),
    session: text('session'),
    platform: text('platform'),
    cacheFrom: queryJson(query, 'cachefrom', 'cache-from', isTextList) ?? [],
    noCache: flag('nocache'),
    noCacheStages: [],
    pull: flag('pull'),
    quiet: flag('q'),
    remove: flag('forcerm') || (query.get('rm') ?? '') === '' || flag('rm'),
    forceRemove: flag('forcerm'),
    squash: flag('squash'),
    networkMode: text('networkmode'),
    extraHosts: query
      .getAll('extrahosts')
      .flatMap((hosts) => hosts.split(','))
      .filter(Boolean),
    resources: resourcesOf(query),
    dialect: classicDialect,
    registryConfig: registryConfigOf(headers['x-registry-config']),
  };
}

function refuseForeign(query: URLSearchParams): void {
  const version = query.get('version') ?? '';
  if (version === '2')
    throw invalidParameter(
      'POST /build serves no BuildKit clients while they are passed on to a BuildKit daemon (builder.buildkit in daemon.json): build with docker buildx, or with the classic builder (DOCKER_BUILDKIT=0)',
    );
  if (version !== '' && version !== '1') throw invalidParameter(`invalid version ${version}`);
  if (query.has('securityopt'))
    throw invalidParameter('The daemon on this platform does not support setting security options on build');
  const isolation = query.get('isolation') ?? '';
  if (isolation !== '' && isolation !== 'default') throw invalidParameter(`Unsupported isolation: "${isolation}"`);
  const outputs = query.get('outputs') ?? '';
  if (outputs !== '' && outputs !== '[]' && outputs !== 'null')
    throw invalidParameter(
      'outputs are a feature of BuildKit: ask for it with version=2, or build an image and export it with docker save or docker cp',
    );
  if (query.get('remote') === 'client-session')
    throw invalidParameter(
      'remote=client-session is a feature of BuildKit: ask for it with version=2, or send the context as the body',
    );
}

/** Resource fields of a HostConfig. */
function resourcesOf(query: URLSearchParams): Record<string, unknown> {
  const resources: Record<string, unknown> = {};
  const numbers = [
    ['memory', 'Memory'],
    ['memswap', 'MemorySwap'],
    ['cpushares', 'CpuShares'],
    ['cpuperiod', 'CpuPeriod'],
    ['cpuquota', 'CpuQuota'],
    ['shmsize', 'ShmSize'],
  ] as const;
  for (const [name, field] of numbers) {
    const value = queryInteger(query, name);
    if (value !== undefined && value !== 0) resources[field] = value;
  }
  if (Number(resources.ShmSize ?? 1) < 0) throw invalidParameter('SHM size can not be less than 0');
  const texts = [
    ['cpusetcpus', 'CpusetCpus'],
    ['cpusetmems', 'CpusetMems'],
    ['cgroupparent', 'CgroupParent'],
  ] as const;
  for (const [name, field] of texts) if (query.get(name)) resources[field] = query.get(name);
  const ulimits = queryJson(query, 'ulimits', 'ulimit settings', Array.isArray);
  if (ulimits !== undefined && ulimits.length > 0) resources.Ulimits = ulimits;
  return resources;
}

/** Errors are ignored, as dockerd does: a pull without credentials tells more. */
function registryConfigOf(header: string | string[] | undefined): Record<string, unknown> {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined || text === '') return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
const isTextMap = (value: unknown): value is Record<string, string> =>
  isObject(value) && Object.values(value).every((item) => typeof item === 'string');
const isTextOrNullMap = (value: unknown): value is Record<string, string | null> =>
  isObject(value) && Object.values(value).every((item) => typeof item === 'string' || item === null);

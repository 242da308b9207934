import {
  type ApiRequest,
  type ApiRoute,
  invalidParameter,
  type PluginImages,
  type ProgressMessage,
  parseQueryFilters,
  progressReply,
  reply,
  systemError,
} from '@gantry/sdk';
import { listOf, text } from '@gantry/sdk/decode';
import { capabilitiesOf } from '../config/plugin-config';
import { parsePrivileges } from '../config/privileges';
import type { PluginManager } from '../plugin-manager';
import { renderPlugin } from '../records/plugin-record';

/** @see Docker Engine API, Plugin */
export function pluginRoutes(manager: PluginManager, images: Pick<PluginImages, 'parseName'>): readonly ApiRoute[] {
  const { records } = manager;
  return [
    {
      method: 'GET',
      path: '/plugins',
      handle: ({ query }) => reply.json(200, list(manager, query.get('filters'))),
    },
    {
      method: 'GET',
      path: '/plugins/privileges',
      async handle({ query, headers, signal }) {
        const remote = remoteOf(query);
        return reply.json(200, await manager.privileges(remote, credentialsOf(headers['x-registry-auth']), signal));
      },
    },
    {
      method: 'POST',
      path: '/plugins/pull',
      async handle(request) {
        const { query } = request;
        const pull = await pullRequest(request);
        const given = query.get('name') ?? '';
        const named = images.parseName(given === '' ? pull.remote : given);
        if (given !== '' && named.hasDigest) throw systemError('cannot use digest in plugin tag');
        return progress(request, named.name, (send, signal) => manager.pull(named.name, pull, send, signal));
      },
    },
    {
      method: 'POST',
      path: '/plugins/create',
      async handle({ query, body, signal }) {
        await manager.create(query.get('name') ?? '', body, signal);
        return reply.empty(204);
      },
    },
    {
      method: 'GET',
      path: '/plugins/{name...}/json',
      handle: ({ params }) => reply.json(200, renderPlugin(records.find(params.name!))),
    },
    {
      method: 'POST',
      path: '/plugins/{name...}/enable',
      async handle({ params, query }) {
        await manager.enable(params.name!, timeoutOf(query.get('timeout')));
        return reply.empty(200);
      },
    },
    {
      method: 'POST',
      path: '/plugins/{name...}/disable',
      async handle({ params, query }) {
        await manager.disable(params.name!, isTrue(query.get('force')));
        return reply.empty(200);
      },
    },
    {
      method: 'POST',
      path: '/plugins/{name...}/set',
      async handle(request) {
        const changes = listOf(text).decode(await request.json(), '');
        await manager.set(request.params.name!, changes);
        return reply.empty(204);
      },
    },
    {
      method: 'POST',
      path: '/plugins/{name...}/upgrade',
      async handle(request) {
        const name = request.params.name!;
        const pull = await pullRequest(request);
        return progress(request, records.find(name).name, (send, signal) => manager.upgrade(name, pull, send, signal));
      },
    },
    {
      method: 'POST',
      path: '/plugins/{name...}/push',
      handle(request) {
        const name = request.params.name!;
        const credentials = credentialsOf(request.headers['x-registry-auth']);
        return progress(request, undefined, (send, signal) => manager.push(name, credentials, send, signal));
      },
    },
    {
      method: 'DELETE',
      path: '/plugins/{name...}',
      async handle({ params, query }) {
        await manager.remove(params.name!, isTrue(query.get('force')));
        return reply.empty(200);
      },
    },
  ];
}

function list(manager: PluginManager, filters: string | null): object[] {
  const wanted = parseQueryFilters(filters, ['enabled', 'capability']);
  const enabled = wanted.get('enabled');
  const only = enabled === undefined ? undefined : booleanFilter(enabled);
  const capabilities = wanted.get('capability');
  return manager.records
    .list()
    .filter((plugin) => only === undefined || plugin.enabled === only)
    .filter(
      ({ config }) => capabilities === undefined || capabilitiesOf(config).some((it) => capabilities.includes(it)),
    )
    .map(renderPlugin);
}

function booleanFilter(values: readonly string[]): boolean {
  const flags = values.map((value) => value.toLowerCase());
  if (flags.length === 1 && ['1', 'true'].includes(flags[0]!)) return true;
  if (flags.length === 1 && ['0', 'false'].includes(flags[0]!)) return false;
  throw invalidParameter(`invalid filter 'enabled=[${values.join(' ')}]'`);
}

function progress(
  request: ApiRequest,
  pluginName: string | undefined,
  work: (send: (message: ProgressMessage) => void, signal: AbortSignal) => Promise<void>,
) {
  const headers = pluginName === undefined ? undefined : { 'Docker-Plugin-Name': pluginName };
  return progressReply(request, (out, signal) => work((message) => out.send(message), signal), headers);
}

async function pullRequest(request: ApiRequest) {
  // As for dockerd, a body that cannot be read is told first.
  const privileges = parsePrivileges(await request.json());
  return {
    remote: remoteOf(request.query),
    privileges,
    credentials: credentialsOf(request.headers['x-registry-auth']),
  };
}

function remoteOf(query: URLSearchParams): string {
  const remote = query.get('remote') ?? '';
  if (remote === '') throw invalidParameter('invalid reference format: "remote" names the plugin, such as acme/nfs');
  return remote;
}

/** The header is JSON in base64url; like dockerd, here one that cannot be read means "nobody". */
function credentialsOf(header: string | string[] | undefined): unknown {
  const encoded = Array.isArray(header) ? header[0] : header;
  if (!encoded) return undefined;
  try {
    return JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')) ?? undefined;
  } catch {
    return undefined;
  }
}

/** @throws system  in the words of Go's strconv, as dockerd answers */
function timeoutOf(value: string | null): number {
  if (value === null || !/^[+-]?\d{1,9}$/.test(value))
    throw systemError(`strconv.Atoi: parsing ${JSON.stringify(value ?? '')}: invalid syntax`);
  const seconds = Number(value);
  if (seconds < 0) throw invalidParameter(`negative timeout ${seconds} for enabling a plugin`);
  return seconds;
}

/** As dockerd reads flags of a query. */
const isTrue = (value: string | null): boolean =>
  !['', '0', 'no', 'false', 'none'].includes((value ?? '').trim().toLowerCase());

import { type ApiRequest, apiVersionAtLeast, type VersionShim } from '@gantry/sdk';

type Fields = Readonly<Record<string, unknown>>;

/*
 * What changed about operations on containers, as clients of older API versions know it. Fields of a create request
 * have their own room (`create/older-clients.ts`).
 */

const PREDEFINED = new Set(['bridge', 'default', 'host', 'none']);

/** GET /containers/{id}/json */
export const inspectShims: readonly VersionShim[] = [
  {
    before: '1.45',
    why: 'the short id was among the aliases on networks of the user',
    response: (body) => {
      const { Id, NetworkSettings } = body as { Id: string; NetworkSettings: Fields };
      const short = Id.slice(0, 12);
      const endpoints = Object.entries((NetworkSettings.Networks ?? {}) as Record<string, Fields>).map(
        ([name, endpoint]) => {
          const aliases = (endpoint.Aliases ?? []) as readonly string[];
          return [
            name,
            PREDEFINED.has(name) || aliases.includes(short) ? endpoint : { ...endpoint, Aliases: [...aliases, short] },
          ] as const;
        },
      );
      return { ...(body as Fields), NetworkSettings: { ...NetworkSettings, Networks: Object.fromEntries(endpoints) } };
    },
  },
];

/** GET /containers/json */
export const listShims: readonly VersionShim[] = [
  {
    before: '1.46',
    why: 'annotations were not listed',
    response: (body) =>
      (body as Fields[]).map((item) => {
        const { Annotations: _unknownThen, ...host } = item.HostConfig as Fields;
        return { ...item, HostConfig: host };
      }),
  },
];

/** POST /containers/{id}/update */
export const updateShims: readonly VersionShim[] = [
  {
    before: '1.40',
    why: 'the limit of processes could not be changed',
    request: (body) => without(body, 'PidsLimit'),
  },
];

/** POST /containers/{id}/exec and POST /exec/{id}/start */
export const execShims: readonly VersionShim[] = [
  {
    before: '1.42',
    why: 'a terminal got its size only by a resize',
    request: (body) => without(body, 'ConsoleSize'),
  },
];

/** Whether nothing has changed since the client's version: bytes made for others will do. */
export function seesItAsItIs({ apiVersion }: ApiRequest, shims: readonly VersionShim[]): boolean {
  return shims.every(({ before }) => apiVersionAtLeast(apiVersion, before));
}

/** A query parameter of POST /containers/{id}/stop and restart since 1.42. */
export function stopSignalOf({ query, apiVersion }: ApiRequest): string {
  return apiVersionAtLeast(apiVersion, '1.42') ? (query.get('signal') ?? '') : '';
}

/** A query parameter of GET /containers/{id}/stats since 1.41. */
export function knowsOneShot({ apiVersion }: ApiRequest): boolean {
  return apiVersionAtLeast(apiVersion, '1.41');
}

/** Field names match without regard to case, as when they are decoded. */
function without(body: unknown, field: string): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  return Object.fromEntries(Object.entries(body).filter(([key]) => key.toLowerCase() !== field.toLowerCase()));
}

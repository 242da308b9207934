import type { ApiRoute, HttpMethod } from '../contracts/api-routes';
import { systemError } from '../errors';
import { field, stringField } from './fields';

/** In the answer to the handshake: the plugin has routes of the Engine API, which the core forwards to its socket. */
export const apiRoutesKindName = 'api-routes/v1';

/** Empty body; answers `{"Routes": [{"Method", "Path", "Hijack", "SensitiveBody", "Since"}]}`. */
export const listRoutesMethod = { method: 'ApiRoutes.List', timeoutMs: 10_000, repeatable: true } as const;

/** Headers that a forwarded request carries beside the client's own. */
export const forwardedHeaders = {
  /** The daemon's id of the request, as in its log. */
  requestId: 'x-gantry-request-id',
  /** `1.51`; the path has no version any more. */
  apiVersion: 'x-gantry-api-version',
  /** Method and path of the route as the plugin declared them: `GET /acme/{id}`. */
  route: 'x-gantry-route',
  /** Path parameters: a JSON object, percent-encoded. */
  params: 'x-gantry-params',
  /** In an answer: the kind of an error; its body is `{"message"}`. The core makes status and form of it. */
  errorKind: 'x-gantry-error-kind',
} as const;

/** A route as a plugin declares it. */
export type DeclaredRoute = Pick<ApiRoute, 'method' | 'path' | 'flags' | 'since'>;

/** What a plugin answers to `ApiRoutes.List`; unset flags are absent. */
export const encodeRoutes = (routes: readonly DeclaredRoute[]): object => ({
  Routes: routes.map(({ method, path, flags, since }) => ({
    Method: method,
    Path: path,
    ...(flags?.hijack ? { Hijack: true } : {}),
    ...(flags?.sensitiveBody ? { SensitiveBody: true } : {}),
    ...(since === undefined ? {} : { Since: since }),
  })),
});

const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'] satisfies HttpMethod[];
const routePath = /^(\/([\w.~-]+|\{\w+(\.\.\.)?\}))+$/;

/** @throws system  the answer is no list of routes; the message names the entry */
export function decodeRoutes(body: unknown, plugin: string): DeclaredRoute[] {
  const list = field(body, 'Routes');
  const fail = (what: string) => systemError(`plugin "${plugin}": the answer to ${listRoutesMethod.method} ${what}`);
  if (!Array.isArray(list)) throw fail('has no list "Routes"');
  return list.map((entry: unknown) => {
    const [method, path, since] = ['Method', 'Path', 'Since'].map((name) => stringField(entry, name)) as [
      string,
      string,
      string,
    ];
    if (!methods.includes(method)) throw fail(`has the method "${method}"; ${methods.join(', ')} are possible`);
    if (!routePath.test(path)) throw fail(`has the path "${path}"; expected one like /acme/reports/{id}`);
    if (since !== '' && !/^1\.\d+$/.test(since))
      throw fail(`has a route since "${since}"; expected a version like 1.44`);
    return {
      method: method as HttpMethod,
      path,
      flags: { hijack: field(entry, 'Hijack') === true, sensitiveBody: field(entry, 'SensitiveBody') === true },
      ...(since === '' ? {} : { since }),
    };
  });
}

/** How a route is named in `X-Gantry-Route`: `GET /acme/{id}`. */
export const routeKey = ({ method, path }: Pick<DeclaredRoute, 'method' | 'path'>): string => `${method} ${path}`;

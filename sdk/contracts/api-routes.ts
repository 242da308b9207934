import type { IncomingHttpHeaders } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import { capability } from '../plugin/capability';
import type { PluginTls } from './plugin-tls';

/** Methods the Engine API uses. */
export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

/** `1.24` … `1.51`. Compare with `apiVersionAtLeast`. */
export type ApiVersion = string;

/** A request after version negotiation and authorization. */
export interface ApiRequest {
  readonly id: string;
  readonly method: HttpMethod;
  /** Path as the client sent it, without the version prefix. */
  readonly path: string;
  /** Decoded path parameters: `/containers/{id}/json` gives `id`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly apiVersion: ApiVersion;
  /** The raw body. Read it once, by this stream or by `json`. */
  readonly body: Readable;
  /** Aborts when the client goes away before the reply has ended. */
  readonly signal: AbortSignal;
  /**
   * The body as JSON; undefined when it is empty.
   * @throws invalid-parameter  not JSON, too large, trailing data, or a content type other than JSON
   */
  json(): Promise<unknown>;
}

/**
 * The connection after the protocol switch. Half-close works both ways: `end()` ends our side only, and iterating to
 * the client's end leaves our side open. Who wants no input calls `stream.resume()`: a client that leaves is noticed
 * by reading.
 */
export interface HijackedConnection {
  readonly stream: Duplex;
  /** Aborts when the connection is gone in both directions or broken, and when the daemon stops. */
  readonly signal: AbortSignal;
}

type Headers = Readonly<Record<string, string>>;

/** What a handler answers: data, so that the core decides how to send it. */
export type ApiReply =
  | { readonly kind: 'json'; readonly status: number; readonly body: unknown; readonly headers?: Headers }
  | {
      readonly kind: 'raw';
      readonly status: number;
      readonly contentType: string;
      readonly body: string | Buffer;
      readonly headers?: Headers;
    }
  | { readonly kind: 'empty'; readonly status: number; readonly headers?: Headers }
  | {
      readonly kind: 'stream';
      readonly status: number;
      readonly contentType: string;
      readonly headers?: Headers;
      /**
       * Headers are sent at once, before this runs. Await `write` callbacks or 'drain'; the core ends `out`, or cuts
       * the connection when this throws. Acquire things in here: it does not run when the client has left already.
       * `signal` aborts when the client leaves and when the daemon stops.
       */
      run(out: Writable, signal: AbortSignal): Promise<void>;
    }
  | {
      readonly kind: 'hijack';
      /** Content type of the stream, such as `application/vnd.docker.raw-stream`. */
      readonly contentType: string;
      /**
       * Headers are sent before this runs; the core closes the connection afterwards. Acquire things in here: it
       * does not run when the client has left already.
       */
      run(connection: HijackedConnection): Promise<void>;
    }
  | {
      /** The request goes on to a plugin's socket; the route's `hijack` flag lets upgraded connections through. */
      readonly kind: 'forward';
      readonly plugin: string;
      /** As plugins are named by: `unix:///path`, `tcp://host:port`, `https://host:port`. */
      readonly address: string;
      readonly tls?: PluginTls;
    }
  | {
      /** The route needs the `hijack` flag. A request without a websocket handshake is refused. */
      readonly kind: 'websocket';
      /** Whether what is written goes out in binary or in text messages. */
      readonly binary: boolean;
      /** As with `hijack`; messages are pieces of one stream, and there is no half-close. */
      run(connection: HijackedConnection): Promise<void>;
    };

/** Short forms of the replies: `reply.json(200, body)`. */
export const reply = {
  json: (status: number, body: unknown, headers?: Headers): ApiReply => ({ kind: 'json', status, body, headers }),
  raw: (status: number, contentType: string, body: string | Buffer, headers?: Headers): ApiReply => ({
    kind: 'raw',
    status,
    contentType,
    body,
    headers,
  }),
  empty: (status: number, headers?: Headers): ApiReply => ({ kind: 'empty', status, headers }),
  stream: (
    status: number,
    contentType: string,
    run: (out: Writable, signal: AbortSignal) => Promise<void>,
    headers?: Headers,
  ): ApiReply => ({
    kind: 'stream',
    status,
    contentType,
    headers,
    run,
  }),
  hijack: (contentType: string, run: (connection: HijackedConnection) => Promise<void>): ApiReply => ({
    kind: 'hijack',
    contentType,
    run,
  }),
  forward: (plugin: string, address: string, tls?: PluginTls): ApiReply => ({ kind: 'forward', plugin, address, tls }),
  webSocket: (binary: boolean, run: (connection: HijackedConnection) => Promise<void>): ApiReply => ({
    kind: 'websocket',
    binary,
    run,
  }),
};

/** A difference between API versions as data: applied when the client speaks a version below `before`. */
export interface VersionShim {
  readonly before: ApiVersion;
  readonly why: string;
  /** Changes a parsed JSON request body towards the newest version. */
  request?(body: unknown): unknown;
  /** Changes a JSON reply body from the newest version down to the client's. */
  response?(body: unknown): unknown;
}

/** One operation of the Engine API. */
export interface ApiRoute {
  readonly method: HttpMethod;
  /** `/containers/{id}/json`. `{name...}` takes the rest up to the literal that follows, slashes included. */
  readonly path: string;
  readonly flags?: {
    /** May answer with `hijack`; only such routes are reachable with an Upgrade header. */
    readonly hijack?: boolean;
    /** The body must not be shown to logs and authorization plugins. */
    readonly sensitiveBody?: boolean;
  };
  /** First API version that has the route; an older client gets 404. */
  readonly since?: ApiVersion;
  readonly shims?: readonly VersionShim[];
  handle(request: ApiRequest): Promise<ApiReply> | ApiReply;
}

/** An object of the engine that a request names. */
export interface ApiSubject {
  /** `container`, `image`, `network`, `volume`, `exec` … */
  readonly kind: string;
  /** Full id; the name of what has no id. */
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Routes a plugin contributes. */
export interface ApiRoutes {
  /** They belong to another process, and never take the place of somebody else's. */
  readonly isForwarded?: boolean;
  readonly routes: readonly ApiRoute[];
  /**
   * The object that a request to one of these routes names by its path, for authorization plugins that want to know.
   *
   * @param path    of the route, with placeholders
   * @returns undefined when there is no such object, or the route is about no one object
   */
  subjectOf?(
    path: string,
    params: Readonly<Record<string, string>>,
  ): ApiSubject | undefined | Promise<ApiSubject | undefined>;
}

export const ApiRoutes1 = capability<ApiRoutes>('api-routes/v1', 'many');

/** Compares versions by number, so that 1.9 is older than 1.24. */
export function apiVersionAtLeast(version: ApiVersion, wanted: ApiVersion): boolean {
  return version === wanted || orderOf(version) >= orderOf(wanted);
}

/** Every request compares a few of the same versions. */
const orders = new Map<ApiVersion, number>();

function orderOf(version: ApiVersion): number {
  const known = orders.get(version);
  if (known !== undefined) return known;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const order = major * 100_000 + minor;
  // The versions there are; what a client makes up is not kept.
  if (orders.size < 100) orders.set(version, order);
  return order;
}

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { ApiRequest, ApiRoute, ApiVersion, HttpMethod } from '@gantry/sdk';
import type { Wire } from '../doors/wire';
import { applyRequestShims } from '../pipeline/version-shims';
import { readJson } from './json-body';
import { parseQuery } from './query';

/** What the router and the version negotiation found out about a request. */
export interface Destination {
  readonly route: ApiRoute;
  readonly params: Readonly<Record<string, string>>;
  /** Decoded path without version prefix. */
  readonly path: string;
  /** Query string as sent. */
  readonly search: string;
  readonly apiVersion: ApiVersion;
}

/**
 * One request on its way through the pipeline: what handlers see (`ApiRequest`), and what authorization sees beyond
 * it. Everything that not every request needs is made when first asked for.
 */
export class Exchange implements ApiRequest {
  readonly method: HttpMethod;
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
  readonly apiVersion: ApiVersion;
  readonly route: ApiRoute;
  private readonly replayed: Readable | undefined;
  private readonly search: string;
  private parsedQuery: URLSearchParams | undefined;
  private clientGone: AbortSignal | undefined;

  constructor(
    readonly id: string,
    readonly wire: Wire,
    destination: Destination,
    /** The body, when authorization has read it already. */
    captured?: Buffer,
  ) {
    this.replayed = captured && Readable.from([captured], { objectMode: false });
    this.method = wire.request.method as HttpMethod;
    this.path = destination.path;
    this.params = destination.params;
    this.apiVersion = destination.apiVersion;
    this.route = destination.route;
    this.search = destination.search;
  }

  /** The request target exactly as the client sent it. */
  get rawUrl(): string {
    return this.wire.request.url ?? '/';
  }

  get incoming(): IncomingMessage {
    return this.wire.request;
  }

  get response(): ServerResponse {
    return this.wire.response;
  }

  get socket(): Socket {
    return this.wire.socket;
  }

  get headers(): IncomingHttpHeaders {
    return this.wire.request.headers;
  }

  get query(): URLSearchParams {
    this.parsedQuery ??= parseQuery(this.search);
    return this.parsedQuery;
  }

  get body(): Readable {
    return this.replayed ?? this.wire.body;
  }

  get signal(): AbortSignal {
    this.clientGone ??= this.wire.clientSignal();
    return this.clientGone;
  }

  async json(): Promise<unknown> {
    return applyRequestShims(this, await readJson(this.headers, this.body));
  }
}

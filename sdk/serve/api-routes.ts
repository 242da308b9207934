import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ApiReply, ApiRequest, ApiRoute, ApiRoutes, HttpMethod } from '../contracts/api-routes';
import { errorKind, errorMessage, invalidParameter, notFound, notImplemented } from '../errors';
import { parseJson } from '../json';
import { apiRoutesKindName, encodeRoutes, forwardedHeaders, listRoutesMethod, routeKey } from '../wire';
import type { ServedKind } from './method-table';

/** @throws invalid-parameter  a route has shims, which are for routes in the daemon's own process */
export function apiRoutesKind({ routes }: ApiRoutes): ServedKind {
  const shimmed = routes.find(({ shims }) => shims !== undefined && shims.length > 0);
  if (shimmed !== undefined)
    throw invalidParameter(
      `route ${routeKey(shimmed)}: shims do not reach another process; look at apiVersion instead`,
    );
  return { kind: apiRoutesKindName, methods: { [listRoutesMethod.method]: async () => encodeRoutes(routes) } };
}

const header = (request: IncomingMessage, name: string): string => String(request.headers[name] ?? '');

/** Whether the daemon has forwarded this request. */
export const isForwarded = (request: IncomingMessage): boolean => request.headers[forwardedHeaders.route] !== undefined;

/** Answers a forwarded request. */
export async function answerRoute(
  request: IncomingMessage,
  response: ServerResponse,
  { routes }: ApiRoutes,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  try {
    const answer = await handle(request, routes, gone.signal);
    await send(response, answer, gone.signal);
  } catch (error) {
    if (response.headersSent) return void response.destroy();
    response.writeHead(500, { 'Content-Type': 'application/json', [forwardedHeaders.errorKind]: errorKind(error) });
    response.end(JSON.stringify({ message: errorMessage(error) }));
  }
}

/** Answers a forwarded request that wants the connection. */
export async function answerUpgrade(request: IncomingMessage, stream: Duplex, { routes }: ApiRoutes): Promise<void> {
  const gone = new AbortController();
  stream.on('close', () => gone.abort());
  stream.on('error', () => gone.abort());
  try {
    const answer = await handle(request, routes, gone.signal);
    if (answer.kind !== 'hijack') throw notImplemented(`${request.url}: this route does not take connections`);
    stream.write(
      `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${answer.contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
    await answer.run({ stream, signal: gone.signal });
    stream.end();
  } catch (error) {
    const body = JSON.stringify({ message: errorMessage(error) });
    stream.end(
      `HTTP/1.1 500 Failed\r\nContent-Type: application/json\r\n${forwardedHeaders.errorKind}: ${errorKind(error)}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
}

async function handle(request: IncomingMessage, routes: readonly ApiRoute[], signal: AbortSignal): Promise<ApiReply> {
  const wanted = header(request, forwardedHeaders.route);
  const route = routes.find((one) => routeKey(one) === wanted);
  if (route === undefined) throw notFound(`this plugin has no route ${wanted}`);
  const [path = '/', search = ''] = (request.url ?? '/').split('?', 2);
  const asked: ApiRequest = {
    id: header(request, forwardedHeaders.requestId),
    method: request.method as HttpMethod,
    path: decodeURIComponent(path),
    params: JSON.parse(decodeURIComponent(header(request, forwardedHeaders.params) || '{}')) as Record<string, string>,
    query: new URLSearchParams(search),
    headers: request.headers,
    apiVersion: header(request, forwardedHeaders.apiVersion),
    body: request,
    signal,
    json: async () => {
      const body = await text(request);
      return body === '' ? undefined : parseJson(body);
    },
  };
  return route.handle(asked);
}

async function send(response: ServerResponse, answer: ApiReply, signal: AbortSignal): Promise<void> {
  switch (answer.kind) {
    case 'json':
      response.writeHead(answer.status, { 'Content-Type': 'application/json', ...answer.headers });
      return void response.end(`${JSON.stringify(answer.body)}\n`);
    case 'raw':
      response.writeHead(answer.status, { 'Content-Type': answer.contentType, ...answer.headers });
      return void response.end(answer.body);
    case 'empty':
      response.writeHead(answer.status, answer.headers);
      return void response.end();
    case 'stream':
      response.writeHead(answer.status, { 'Content-Type': answer.contentType, ...answer.headers });
      response.flushHeaders();
      await answer.run(response, signal);
      return void response.end();
    default:
      throw notImplemented(`a reply of the kind "${answer.kind}" needs a request that asks to upgrade`);
  }
}

import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { type ApiReply, cancelled, EngineError, type ErrorKind, errorMessage, systemError } from '@gantry/sdk';
import { parsePluginAddress, tlsNameOf } from '@gantry/sdk/client';
import { forwardedHeaders } from '@gantry/sdk/wire';
import { createProxyServer, type ServerOptions } from 'http-proxy';
import type { Exchange } from '../request/exchange';
import { serveHijacked } from '../streams/hijacked-connection';
import type { Admission } from './authorizer';
import { answerHeaders, clientHeaders, forwardedPath, headersFor } from './forward-headers';
import { sendBody } from './send-body';
import type { ReplyDeps } from './send-reply';

type Forward = Extract<ApiReply, { kind: 'forward' }>;

/** How long a plugin may take to begin its answer. */
const headMs = 60_000;
/** Answers up to this size are shown whole to authorization plugins (P-AZ-3). */
const shownBytes = 64 * 1024;
const shortBodyBytes = 64 * 1024;

/** Passes a request on to a plugin's socket, and its answer back. @throws unavailable, deadline  it does not answer */
export async function sendForward(
  exchange: Exchange,
  forward: Forward,
  deps: ReplyDeps,
  admission: Admission | undefined,
): Promise<void> {
  const { response, headers } = exchange;
  if (response.destroyed) return;
  if (headers.upgrade !== undefined && exchange.route.flags?.hijack === true)
    return forwardUpgrade(exchange, forward, deps, admission);
  const answer = await watched(deps, forward, 'request', () => ask(exchange, forward));
  const head = { status: answer.statusCode ?? 502, headers: { ...deps.common, ...answerHeaders(answer.headers) } };
  const whole = await readShort(answer);
  if (Buffer.isBuffer(whole)) {
    if (admission !== undefined) await admission.answer({ ...head, body: whole });
    return sendBody(response, head.status, head.headers, whole);
  }
  response.writeHead(head.status, head.headers);
  exchange.wire.watchClient();
  try {
    for (const chunk of whole.begun) response.write(chunk);
    await pipeline(answer, response, { end: false });
    await admission?.answer({ ...head, isPartial: true });
    response.end();
  } catch (error) {
    deps.log.debug('a forwarded answer broke off', { plugin: forward.plugin, error: errorMessage(error) });
    response.destroy();
  }
}

/** The beginning of the answer, with the plugin's calls limited and counted as those of any driver. @throws what it told */
async function watched<T extends IncomingMessage | Upgraded>(
  { watchPlugin }: ReplyDeps,
  forward: Forward,
  kind: 'request' | 'upgrade',
  work: () => Promise<T>,
): Promise<T> {
  const call = watchPlugin?.(forward.plugin, `api-routes.${kind}`);
  try {
    const answer = await (call?.run === undefined ? work() : call.run(work));
    if (!('stream' in answer)) await throwTold(answer, forward);
    call?.ended();
    return answer;
  } catch (error) {
    call?.ended(error);
    throw error;
  }
}

interface Upgraded {
  readonly head: IncomingMessage;
  readonly stream: Duplex;
}

/** The whole body when it is short; otherwise what has come of it. A stream that pauses is not held back. */
async function readShort(answer: IncomingMessage): Promise<Buffer | { readonly begun: readonly Buffer[] }> {
  const chunks: Buffer[] = [];
  // Without a length it may be a stream that lasts: nothing of it is held back.
  if (Number(answer.headers['content-length'] ?? Number.POSITIVE_INFINITY) > shownBytes && !hasNoBody(answer))
    return { begun: chunks };
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const hasNoBody = ({ statusCode }: IncomingMessage): boolean => statusCode === 204 || statusCode === 304;

function ask(exchange: Exchange, forward: Forward): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const proxy = createProxyServer({ secure: forward.tls?.insecureSkipVerify !== true });
    const { incoming } = exchange;
    let timer: NodeJS.Timeout | undefined;
    const settle = (work: () => void) => {
      clearTimeout(timer);
      exchange.signal.removeEventListener('abort', leave);
      work();
    };
    let call: ClientRequest | undefined;
    const leave = () => call?.destroy(new Error('the client has left'));
    proxy.on('proxyReq', (proxyReq) => {
      call = proxyReq;
      for (const name of Object.values(forwardedHeaders)) proxyReq.removeHeader(name);
      for (const [name, value] of Object.entries(headersFor(exchange))) proxyReq.setHeader(name, value);
      timer = setTimeout(() => proxyReq.destroy(new Error(`no answer within ${headMs} ms`)), headMs);
    });
    proxy.on('proxyRes', (answer) => settle(() => resolve(answer)));
    proxy.on('error', (error) => settle(() => reject(unreached(forward, error, exchange))));
    exchange.signal.addEventListener('abort', leave, { once: true });
    const original = incoming.url;
    incoming.url = forwardedPath(exchange.rawUrl);
    proxy.web(incoming, exchange.response, {
      target: targetOf(forward),
      selfHandleResponse: true,
      buffer: { pipe: (call: ClientRequest) => giveBody(exchange, call) } as unknown as Readable,
      // Over TLS the header names whom the certificate must name.
      headers: {
        host: forward.tls === undefined ? 'plugin.gantry.localhost' : new URL(forward.address).hostname,
        connection: 'close',
      },
    });
    incoming.url = original;
  });
}

/**
 * A short body goes out in one piece with the head. Node ends a request with one more, empty write: a plugin that
 * answers and closes at once would break it, and its answer would be lost.
 */
function giveBody({ headers, body }: Exchange, call: ClientRequest): ClientRequest {
  const length = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined;
  if (length === undefined || length > shortBodyBytes) return body.pipe(call);
  buffer(body).then(
    (whole) => void call.end(whole),
    (error: Error) => void call.destroy(error),
  );
  return call;
}

function targetOf({ address, tls }: Forward): NonNullable<ServerOptions['target']> {
  const endpoint = parsePluginAddress(address);
  if (endpoint.kind === 'unix') return { socketPath: endpoint.path } as NonNullable<ServerOptions['target']>;
  const { host, port } = endpoint;
  if (!endpoint.tls) return { host, port, protocol: 'http:' };
  const { ca, cert, key } = tls ?? {};
  return { host, port, protocol: 'https:', ca, cert, key } as NonNullable<ServerOptions['target']>;
}

/** http-proxy knows websockets only; Docker's clients upgrade to "tcp" with a POST. */
async function forwardUpgrade(
  exchange: Exchange,
  forward: Forward,
  deps: ReplyDeps,
  admission: Admission | undefined,
): Promise<void> {
  const answer = await watched(deps, forward, 'upgrade', () => askUpgrade(exchange, forward));
  if (!('stream' in answer)) {
    const chunks: Buffer[] = [];
    for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
    const headers = { ...deps.common, ...answerHeaders(answer.headers) };
    const body = Buffer.concat(chunks);
    if (admission !== undefined) await admission.answer({ status: answer.statusCode ?? 502, headers, body });
    return sendBody(exchange.response, answer.statusCode ?? 502, headers, body);
  }
  const { stream: far, head } = answer;
  const { 'content-type': contentType = 'application/vnd.docker.raw-stream', ...more } = answerHeaders(head.headers);
  const socket = await exchange.wire.hijack(contentType, { ...deps.common, ...more });
  const onError = (error: unknown) =>
    deps.log.debug('a forwarded connection failed', { plugin: forward.plugin, error: errorMessage(error) });
  far.on('error', onError);
  await serveHijacked(
    socket,
    async ({ stream, signal }) => {
      signal.addEventListener('abort', () => far.destroy(), { once: true });
      stream.pipe(far);
      far.pipe(stream, { end: false });
      if (!far.readableEnded && !far.destroyed) await Promise.race([once(far, 'end'), once(far, 'close')]);
    },
    deps.shutdown,
    onError,
  );
  far.destroy();
  await admission?.answer({ status: 101, headers: deps.common, isPartial: true }).catch(onError);
}

/** @returns the connection, or the answer of a plugin that does not take it */
function askUpgrade(exchange: Exchange, forward: Forward): Promise<IncomingMessage | Upgraded> {
  const endpoint = parsePluginAddress(forward.address);
  const { ca, cert, key, insecureSkipVerify } = forward.tls ?? {};
  const isTls = endpoint.kind === 'tcp' && endpoint.tls;
  const call = (isTls ? httpsRequest : httpRequest)({
    ...(endpoint.kind === 'unix' ? { socketPath: endpoint.path } : { host: endpoint.host, port: endpoint.port }),
    ...(isTls
      ? { ca, cert, key, servername: tlsNameOf(endpoint.host), rejectUnauthorized: insecureSkipVerify !== true }
      : {}),
    method: exchange.method,
    path: forwardedPath(exchange.rawUrl),
    headers: {
      ...clientHeaders(exchange.headers),
      ...headersFor(exchange),
      host: 'plugin.gantry.localhost',
      connection: 'Upgrade',
      upgrade: exchange.headers.upgrade,
    },
    signal: exchange.signal,
  });
  const answered = new Promise<IncomingMessage | Upgraded>((resolve, reject) => {
    const timer = setTimeout(() => call.destroy(new Error(`no answer within ${headMs} ms`)), headMs);
    call.once('response', resolve);
    call.once('upgrade', (head, stream, first: Buffer) => {
      if (first.length > 0) stream.unshift(first);
      resolve({ head, stream });
    });
    call.once('error', (error) => reject(unreached(forward, error, exchange)));
    call.once('close', () => clearTimeout(timer));
  });
  giveBody(exchange, call);
  return answered;
}

/** An error that the plugin's side could not put into a status. @throws it */
async function throwTold(answer: IncomingMessage, { plugin }: Forward): Promise<void> {
  const kind = answer.headers[forwardedHeaders.errorKind];
  if (kind === undefined) return;
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  let message: unknown;
  try {
    message = (JSON.parse(Buffer.concat(chunks).toString()) as { message?: unknown }).message;
  } catch {
    // Told below.
  }
  if (typeof message !== 'string') throw systemError(`plugin "${plugin}" failed without a word`);
  throw new EngineError(kinds.includes(kind as ErrorKind) ? (kind as ErrorKind) : 'system', message);
}

const kinds: readonly ErrorKind[] = [
  'invalid-parameter',
  'unauthorized',
  'forbidden',
  'not-found',
  'conflict',
  'not-modified',
  'not-implemented',
  'rate-limited',
  'unavailable',
  'system',
];

function unreached({ plugin, address }: Forward, error: Error, { signal }: Exchange): EngineError {
  // Says nothing about the plugin.
  if (signal.aborted) return cancelled(`the client has left before plugin "${plugin}" answered`, error);
  return new EngineError('unavailable', `plugin "${plugin}" at ${address} does not answer: ${error.message}`, {
    cause: error,
    absentPlugin: { name: plugin, address },
  });
}

import { type ApiReply, assertNever, errorMessage, type Logger, stringifyJson, unavailable } from '@gantry/sdk';
import type { CallWatcher } from '../../kernel/watched-instance';
import type { Exchange } from '../request/exchange';
import { serveHijacked } from '../streams/hijacked-connection';
import { serveWebSocket } from '../streams/websocket-connection';
import type { Admission } from './authorizer';
import { mergedHeaders, sendAnswer, sendBody } from './send-body';
import type { AnswerHeaders } from './server-headers';
import type { Shutdown } from './shutdown';
import { applyResponseShims } from './version-shims';

export interface ReplyDeps {
  readonly common: AnswerHeaders;
  readonly shutdown: Shutdown;
  readonly log: Logger;
  /** Told of every request that goes on to a plugin, by `api-routes.request` or `api-routes.upgrade`. */
  readonly watchPlugin?: CallWatcher;
}

/**
 * Sends what a handler answered, after the response phase of authorization.
 *
 * @returns a promise that resolves when the reply has ended; undefined when it has already
 */
export function sendReply(
  exchange: Exchange,
  reply: ApiReply,
  deps: ReplyDeps,
  admission: Admission | undefined,
): Promise<void> | undefined {
  switch (reply.kind) {
    case 'json': {
      const body = `${stringifyJson(applyResponseShims(exchange, reply.body) ?? null)}\n`;
      return sendWhole(exchange, { ...reply, contentType: 'application/json', body }, deps, admission);
    }
    case 'raw':
      return sendWhole(exchange, reply, deps, admission);
    case 'empty':
      return sendWhole(exchange, { ...reply, body: '' }, deps, admission);
    case 'stream':
      return sendStream(exchange, reply, deps, admission);
    case 'forward': {
      // Loaded when there is a plugin with routes.
      const { sendForward } = require('./send-forward') as typeof import('./send-forward');
      return sendForward(exchange, reply, deps, admission);
    }
    case 'hijack':
      return sendHijack(exchange, reply, deps, admission);
    case 'websocket':
      return sendWebSocket(exchange, reply, deps, admission);
    default:
      return assertNever(reply);
  }
}

interface WholeAnswer {
  readonly status: number;
  readonly contentType?: string;
  readonly headers?: AnswerHeaders;
  readonly body: string | Buffer;
}

function sendWhole(
  exchange: Exchange,
  { status, contentType, headers, body }: WholeAnswer,
  { common }: ReplyDeps,
  admission: Admission | undefined,
): Promise<void> | undefined {
  const { response } = exchange;
  if (admission === undefined) {
    sendAnswer(response, { status, common, contentType, headers }, body);
    return undefined;
  }
  const shown = mergedHeaders({ status, common, contentType, headers });
  return admission.answer({ status, headers: shown, body }).then(() => sendBody(response, status, shown, body));
}

async function sendStream(
  exchange: Exchange,
  reply: Extract<ApiReply, { kind: 'stream' }>,
  deps: ReplyDeps,
  admission: Admission | undefined,
): Promise<void> {
  const { response } = exchange;
  const headers = { ...deps.common, 'Content-Type': reply.contentType, ...reply.headers };
  if (response.destroyed) return;
  // A write after the client left must not end the daemon; the handler learns by `signal`.
  response.on('error', (error) =>
    deps.log.debug('reply stream broke', { id: exchange.id, error: errorMessage(error) }),
  );
  response.writeHead(reply.status, headers);
  // `docker wait` and `docker events` wait for the headers before they go on.
  response.flushHeaders();
  exchange.wire.watchClient();
  const { signal, release } = streamSignal(exchange.signal, deps.shutdown);
  try {
    await reply.run(response, signal);
    await admission?.answer({ status: reply.status, headers, isPartial: true });
    if (!response.writableEnded) response.end();
  } catch (error) {
    // An orderly end would make half an answer look whole, so the connection is cut instead.
    if (!signal.aborted) {
      deps.log.error('reply stream failed', { id: exchange.id, path: exchange.path, error: errorMessage(error) });
    }
    response.destroy();
  } finally {
    release();
  }
}

/** Aborts when the client leaves and when the daemon stops. */
function streamSignal(client: AbortSignal, shutdown: Shutdown): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const onClient = () => controller.abort(client.reason);
  if (client.aborted) onClient();
  client.addEventListener('abort', onClient);
  const forget = shutdown.onBegin(() => controller.abort(unavailable('the daemon is shutting down')));
  return {
    signal: controller.signal,
    release: () => {
      client.removeEventListener('abort', onClient);
      forget();
    },
  };
}

async function sendHijack(
  exchange: Exchange,
  reply: Extract<ApiReply, { kind: 'hijack' }>,
  deps: ReplyDeps,
  admission: Admission | undefined,
): Promise<void> {
  if (exchange.route.flags?.hijack !== true)
    throw new Error(`route ${exchange.route.method} ${exchange.route.path} hijacks without the hijack flag`);
  if (exchange.response.destroyed) return;
  const isUpgrade = exchange.headers.upgrade !== undefined;
  const socket = await exchange.wire.hijack(reply.contentType, deps.common);
  await serveHijacked(socket, reply.run, deps.shutdown, (error) => connectionFailed(exchange, error, deps));
  const headers = { ...deps.common, 'Content-Type': reply.contentType };
  await tellOfConnection(exchange, { status: isUpgrade ? 101 : 200, headers }, deps, admission);
}

async function sendWebSocket(
  exchange: Exchange,
  reply: Extract<ApiReply, { kind: 'websocket' }>,
  deps: ReplyDeps,
  admission: Admission | undefined,
): Promise<void> {
  if (exchange.route.flags?.hijack !== true)
    throw new Error(`route ${exchange.route.method} ${exchange.route.path} upgrades without the hijack flag`);
  if (exchange.response.destroyed) return;
  const webSocket = exchange.wire.acceptWebSocket(deps.common);
  await serveWebSocket(webSocket, reply.binary, reply.run, deps.shutdown, (error) =>
    connectionFailed(exchange, error, deps),
  );
  await tellOfConnection(exchange, { status: 101, headers: deps.common }, deps, admission);
}

function connectionFailed({ id, path }: Exchange, error: unknown, deps: ReplyDeps): void {
  deps.log.debug('hijacked connection failed', { id, path, error: errorMessage(error) });
}

async function tellOfConnection(
  exchange: Exchange,
  answer: { readonly status: number; readonly headers: AnswerHeaders },
  deps: ReplyDeps,
  admission: Admission | undefined,
): Promise<void> {
  if (admission === undefined) return;
  try {
    await admission.answer({ ...answer, isPartial: true });
  } catch (error) {
    // The connection has ended: there is nothing left to withhold.
    deps.log.debug('verdict about a hijacked connection', { id: exchange.id, error: errorMessage(error) });
  }
}

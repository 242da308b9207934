import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { PluginTls } from '../contracts/plugin-tls';
import { pluginMediaType } from '../wire';
import { type PluginEndpoint, tlsNameOf } from './address';

export type { PluginTls };

/** No HTTP answer arrived. `connected` tells whether the plugin may have seen the request. */
export class NoAnswer extends Error {
  constructor(
    message: string,
    readonly connected: boolean,
    /** It was a kept connection that the plugin may have closed at the same moment. */
    readonly stale: boolean,
    options: { cause: unknown },
  ) {
    super(message, options);
    this.name = 'NoAnswer';
  }
}

/** The answer is larger than a plugin may send. */
export class AnswerTooLarge extends Error {}

/** A complete HTTP answer; its status is not judged yet. */
export interface PluginAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** How to send a request to a plugin. */
export interface ExchangeOptions {
  /** Sent beside the protocol's own. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent: Agent | false;
  readonly tls?: PluginTls;
  readonly signal: AbortSignal;
}

/** A plugin accepts as fast as it can; its queue of connections may be full for a moment. */
const queueWaitMs = 25;
const longestQueueWaitMs = 400;
const queueAttempts = 20;

/** One POST to a plugin: a full body, or none at all (P-CALL-4). Gives the answer as soon as its head is there. */
export async function openExchange(
  endpoint: PluginEndpoint,
  method: string,
  body: Buffer | undefined,
  options: ExchangeOptions,
): Promise<IncomingMessage> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openOnce(endpoint, method, body, options);
    } catch (error) {
      const { code } = (error as NoAnswer).cause as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' || attempt === queueAttempts) throw error;
      // Later and later, and not all at once: a crowd that knocks together keeps the door busy.
      const longest = Math.min(longestQueueWaitMs, queueWaitMs * 2 ** (attempt - 1));
      await new Promise((resolve) => setTimeout(resolve, longest * (0.5 + Math.random() / 2)));
    }
  }
}

function openOnce(
  endpoint: PluginEndpoint,
  method: string,
  body: Buffer | undefined,
  options: ExchangeOptions,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let connected = false;
    const fail = (cause: Error) => reject(new NoAnswer(cause.message, connected, call.reusedSocket, { cause }));
    // Names, values and order are dockerd's: plugins in the field have never been sent others.
    const headers = {
      Host: 'plugin.moby.localhost',
      'User-Agent': 'Go-http-client/1.1',
      'Content-Length': String(body?.length ?? 0),
      Accept: pluginMediaType,
      ...options.headers,
    };
    const common = { method: 'POST', path: `/${method}`, headers, agent: options.agent, signal: options.signal };
    const call =
      endpoint.kind === 'unix'
        ? httpRequest({ ...common, socketPath: endpoint.path }, resolve)
        : endpoint.tls
          ? httpsRequest(
              {
                ...common,
                host: endpoint.host,
                port: endpoint.port,
                servername: tlsNameOf(endpoint.host),
                ca: options.tls?.ca,
                cert: options.tls?.cert,
                key: options.tls?.key,
                rejectUnauthorized: options.tls?.insecureSkipVerify !== true,
              },
              resolve,
            )
          : httpRequest({ ...common, host: endpoint.host, port: endpoint.port }, resolve);
    call.on('socket', (socket) => {
      if (!socket.connecting) connected = true;
      else
        socket.once(endpoint.kind === 'tcp' && endpoint.tls ? 'secureConnect' : 'connect', () => {
          connected = true;
        });
    });
    // A connection that is closed afterwards is closed by us; nobody is told.
    call.removeHeader('Connection');
    call.on('error', fail);
    call.end(body);
  });
}

/** An exchange with a complete answer. */
export async function exchange(
  endpoint: PluginEndpoint,
  method: string,
  body: Buffer | undefined,
  options: ExchangeOptions & { readonly maxAnswerBytes: number },
): Promise<PluginAnswer> {
  return readWholeAnswer(await openExchange(endpoint, method, body, options), options.maxAnswerBytes);
}

/** @throws NoAnswer, AnswerTooLarge */
export function readWholeAnswer(answer: IncomingMessage, maxAnswerBytes: number): Promise<PluginAnswer> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(new NoAnswer(cause.message, true, false, { cause }));
    const chunks: Buffer[] = [];
    let size = 0;
    answer.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxAnswerBytes) return void chunks.push(chunk);
      reject(new AnswerTooLarge(`answer is larger than ${maxAnswerBytes} bytes`));
      answer.destroy();
    });
    answer.on('error', fail);
    answer.on('aborted', () => fail(new Error('the connection broke in the middle of the answer')));
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks) }));
  });
}

import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { cancelled, type DaemonSettings, EngineError, systemError } from '@gantry/sdk';
import { proxyAgent, proxyFor } from './proxy';
import type { Refusal } from './registry-error';

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: OutgoingHttpHeaders;
  /** A stream is sent chunked unless headers give its length. */
  readonly body?: Buffer | string | Readable;
  readonly signal: AbortSignal;
}

/** What the connection itself may accept. */
export interface TlsOptions {
  readonly rejectUnauthorized: boolean;
  /** PEM; default: the well-known ones. */
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
}

/** Plain data: another thread can make the same client from it. */
export interface HttpOptions {
  /** The same number, the same options. @see httpOptions */
  readonly id: number;
  readonly tls: TlsOptions;
  readonly proxies: DaemonSettings['proxies'];
  /** Longest time without a byte of an answer that has begun. */
  readonly silenceMs: number;
}

const headersTimeoutMs = 30_000;
const silenceMs = 60_000;
let lastOptionsId = 0;
const maximumRedirects = 10;
export const maximumDocumentBytes = 8 << 20;

/** The request did not get an HTTP answer: another way to the same registry may. */
export class TransportError extends EngineError {
  constructor(
    message: string,
    readonly code: string | undefined,
    cause: unknown,
  ) {
    super('system', message, { cause });
  }
}

export const httpOptions = (
  tls: TlsOptions,
  proxies: DaemonSettings['proxies'],
  limits: Partial<Pick<HttpOptions, 'silenceMs'>> = {},
): HttpOptions => ({ id: ++lastOptionsId, tls, proxies, silenceMs, ...limits });

/** An HTTP client with connections kept alive, one per set of TLS options. */
export class HttpClient {
  /** By the proxy they go through; the empty one goes directly. */
  private readonly agents = new Map<string, http.Agent>();

  constructor(readonly options: HttpOptions) {}

  close(): void {
    for (const agent of this.agents.values()) agent.destroy();
  }

  /**
   * The answer, whatever its status; redirects of GET and HEAD are followed, without credentials to another host.
   * The caller consumes or destroys it.
   *
   * @throws TransportError, cancelled
   */
  async request(request: HttpRequest): Promise<IncomingMessage> {
    let { url, headers } = request;
    for (let hops = 0; ; hops++) {
      const response = await this.once({ ...request, url, headers });
      const { location } = response.headers;
      const redirects = [301, 302, 303, 307, 308].includes(response.statusCode!) && location !== undefined;
      if (!redirects || (request.method !== 'GET' && request.method !== 'HEAD')) return response;
      response.destroy();
      if (hops === maximumRedirects) throw systemError(`${request.method} "${request.url}": too many redirects`);
      const next = new URL(location, url);
      if (next.host !== url.host) headers = withoutCredentials(headers);
      url = next;
    }
  }

  private agentFor(url: URL): http.Agent {
    const isTls = url.protocol === 'https:';
    const { silenceMs, proxies } = this.options;
    const proxy = proxyFor(url, proxies);
    const key = `${url.protocol} ${proxy?.href ?? ''}`;
    let agent = this.agents.get(key);
    if (agent === undefined) {
      const { ca, ...more } = this.options.tls;
      const tls = isTls ? { ...more, ca: ca === undefined ? undefined : [...ca] } : undefined;
      const options = { keepAlive: true, maxSockets: 32, timeout: silenceMs };
      if (proxy !== undefined) agent = proxyAgent(proxy, tls, options);
      else agent = tls === undefined ? new http.Agent(options) : new https.Agent({ ...options, ...tls });
      this.agents.set(key, agent);
    }
    return agent;
  }

  private once({ method, url, headers, body, signal }: HttpRequest): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const isTls = url.protocol === 'https:';
      const make = isTls ? https.request : http.request;
      const fixed = typeof body === 'string' || Buffer.isBuffer(body);
      const outgoing = make(url, {
        method,
        agent: this.agentFor(url),
        headers: {
          'User-Agent': 'gantry/1 (linux)',
          ...(fixed ? { 'Content-Length': Buffer.byteLength(body) } : {}),
          ...headers,
        },
        signal,
      });
      const timer = setTimeout(
        () => outgoing.destroy(new Error('net/http: request canceled while waiting for the response headers')),
        // Headers come after the body, however long that takes.
        body === undefined || fixed ? headersTimeoutMs : 2 ** 31 - 1,
      );
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        if (signal.aborted) reject(cancelled(`${method} "${url}" was cancelled`, signal.reason));
        else reject(new TransportError(describe(method, url, error), error.code, error));
      });
      outgoing.on('response', (response) => {
        clearTimeout(timer);
        // The agent hands on what a proxy answered to CONNECT; it is not the registry that speaks.
        if (isTls && !('encrypted' in response.socket)) {
          response.destroy();
          const refusal = `the proxy answered ${response.statusCode} ${response.statusMessage}`;
          reject(new TransportError(`${method} "${url}": ${refusal}`, undefined, undefined));
          return;
        }
        const { silenceMs } = this.options;
        const silent = `nothing came from ${url.host} for ${silenceMs / 1000} s`;
        response.setTimeout(silenceMs, () => response.destroy(new Error(silent)));
        resolve(response);
      });
      if (body === undefined || fixed) outgoing.end(body);
      else {
        body.on('error', (error) => outgoing.destroy(error));
        body.pipe(outgoing);
      }
    });
  }
}

/** The whole body of an answer. @throws system it is larger than any document should be, or breaks off */
export async function readBody(response: IncomingMessage, limit = maximumDocumentBytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) throw systemError(`the registry's answer is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What an answer that was not wanted says. Consumes it. */
export async function refusal(response: IncomingMessage): Promise<Refusal> {
  const challenge = response.headers['www-authenticate'];
  const retryAfter = response.headers['retry-after'];
  const body = await readBody(response, 1 << 20).catch(() => Buffer.alloc(0));
  return { status: response.statusCode!, challenge, retryAfter, body: body.toString('utf8') };
}

function withoutCredentials(headers: OutgoingHttpHeaders | undefined): OutgoingHttpHeaders | undefined {
  if (headers === undefined) return undefined;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
}

/** A failure in the words users of dockerd search for. */
function describe(
  method: string,
  url: URL,
  error: NodeJS.ErrnoException & { address?: string; port?: number },
): string {
  const verb = method[0] + method.slice(1).toLowerCase();
  const where = error.address === undefined ? url.host : `${error.address}:${error.port}`;
  const reasons: Readonly<Record<string, string>> = {
    ECONNREFUSED: `dial tcp ${where}: connect: connection refused`,
    ENETUNREACH: `dial tcp ${where}: connect: network is unreachable`,
    EHOSTUNREACH: `dial tcp ${where}: connect: no route to host`,
    ETIMEDOUT: `dial tcp ${where}: i/o timeout`,
    ENOTFOUND: `dial tcp: lookup ${url.hostname}: no such host`,
    EAI_AGAIN: `dial tcp: lookup ${url.hostname}: temporary failure in name resolution`,
    ECONNRESET: 'read: connection reset by peer',
    EPROTO: 'http: server gave HTTP response to HTTPS client',
    ERR_SSL_WRONG_VERSION_NUMBER: 'http: server gave HTTP response to HTTPS client',
    ERR_SSL_PACKET_LENGTH_TOO_LONG: 'http: server gave HTTP response to HTTPS client',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
    SELF_SIGNED_CERT_IN_CHAIN: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls: failed to verify certificate: x509: certificate signed by unknown authority',
    CERT_HAS_EXPIRED: 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid',
  };
  return `${verb} "${url}": ${reasons[error.code ?? ''] ?? error.message}`;
}

import { Agent as HttpAgent, request as plainRequest } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as secureRequest } from 'node:https';
import { errorMessage, unavailable } from '../errors';

const TIMEOUT_MS = 30_000;
const LONGEST_ANSWER_BYTES = 1024 * 1024;
const plainAgent = new HttpAgent({ keepAlive: true });
const secureAgent = new HttpsAgent({ keepAlive: true });

/** A request to a log back end. */
export interface HttpCall {
  readonly method: 'GET' | 'OPTIONS' | 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** For https: whom to trust. */
  readonly tls?: Pick<RequestOptions, 'ca' | 'servername' | 'rejectUnauthorized'>;
}

/** What a log back end answered. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** Asks a log back end. @throws unavailable when no answer came; an answer of any status is the caller's */
export function httpRequest(url: URL, { method, headers, body = '', tls }: HttpCall): Promise<HttpAnswer> {
  const isSecure = url.protocol === 'https:';
  const agent = isSecure ? (tls === undefined ? secureAgent : false) : plainAgent;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) =>
      reject(unavailable(`${url.origin} cannot be reached: ${errorMessage(error)}`, error));
    const options = { method, agent, headers: { ...headers, 'Content-Length': Buffer.byteLength(body) }, ...tls };
    const call = (isSecure ? secureRequest : plainRequest)(url, options, (answer) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= LONGEST_ANSWER_BYTES) parts.push(chunk);
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
      answer.on('error', fail);
    });
    call.setTimeout(TIMEOUT_MS, () => call.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    call.on('error', fail);
    call.end(body);
  });
}

import http from 'node:http';
import type { Socket } from 'node:net';
import { patience } from './eventually';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  /** The body parsed as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are judged by what the tests expect of them
  json<T = any>(): T;
}

export interface ApiRequest {
  readonly json?: unknown;
  readonly body?: Buffer | string;
  readonly headers?: Record<string, string>;
  /** Default 60,000. */
  readonly timeoutMs?: number;
}

/** An Engine API client on a unix socket that adds nothing: what the test says is what goes over the wire. */
export class ApiClient {
  constructor(readonly socketPath: string) {}

  /** One request, one whole answer, whatever its status. */
  async request(method: string, path: string, options: ApiRequest = {}): Promise<ApiAnswer> {
    const response = await this.open(method, path, options);
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body,
      text: body.toString(),
      json: () => JSON.parse(body.toString()),
    };
  }

  get(path: string, options?: ApiRequest): Promise<ApiAnswer> {
    return this.request('GET', path, options);
  }

  post(path: string, json?: unknown, options?: ApiRequest): Promise<ApiAnswer> {
    return this.request('POST', path, { json, ...options });
  }

  delete(path: string, options?: ApiRequest): Promise<ApiAnswer> {
    return this.request('DELETE', path, options);
  }

  /** The answer as a stream; the caller reads or destroys it. */
  open(method: string, path: string, options: ApiRequest = {}): Promise<http.IncomingMessage> {
    const body = options.json === undefined ? options.body : JSON.stringify(options.json);
    const headers: Record<string, string | number> = {
      Host: 'docker',
      'Content-Length': Buffer.byteLength(body ?? ''),
    };
    if (options.json !== undefined) headers['Content-Type'] = 'application/json';
    Object.assign(headers, options.headers);
    return new Promise((resolve, reject) => {
      const request = http.request({ socketPath: this.socketPath, method, path, headers, agent: false }, resolve);
      const timeoutMs = (options.timeoutMs ?? 60_000) * patience;
      request.setTimeout(timeoutMs, () =>
        request.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`)),
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  /** A POST that turns into a raw connection (attach, exec). */
  hijack(path: string, json?: unknown): Promise<{ socket: Socket; head: Buffer; status: number }> {
    const body = json === undefined ? '' : JSON.stringify(json);
    return new Promise((resolve, reject) => {
      const request = http.request({
        socketPath: this.socketPath,
        method: 'POST',
        path,
        agent: false,
        headers: {
          Host: 'docker',
          Connection: 'Upgrade',
          Upgrade: 'tcp',
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
        },
      });
      request.on('upgrade', (response, socket, head) =>
        resolve({ socket: socket as Socket, head, status: response.statusCode ?? 0 }),
      );
      request.on('response', (response) => {
        response.resume();
        reject(new Error(`POST ${path} was not upgraded: ${response.statusCode}`));
      });
      request.on('error', reject);
      request.end(body);
    });
  }
}

/** Splits an attach or log stream of a container without a terminal into its two streams. */
export function demultiplex(stream: Buffer): { stdout: string; stderr: string } {
  const parts: [Buffer[], Buffer[]] = [[], []];
  for (let at = 0; at + 8 <= stream.length; ) {
    const length = stream.readUInt32BE(at + 4);
    (stream[at] === 2 ? parts[1] : parts[0]).push(stream.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return { stdout: Buffer.concat(parts[0]).toString(), stderr: Buffer.concat(parts[1]).toString() };
}

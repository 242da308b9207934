import { createWriteStream } from 'node:fs';
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { systemError } from '@gantry/sdk';

export interface Download {
  /** Lower case, without parameters. */
  readonly contentType: string;
  readonly contentDisposition: string;
  /** Milliseconds since the epoch; undefined when the server does not say. */
  readonly lastModifiedMs: number | undefined;
  /** The URL that answered, after redirects. */
  readonly url: URL;
}

const maximumRedirects = 10;
const connectTimeoutMs = 30_000;

/**
 * Saves what a URL answers.
 *
 * @param path must not exist
 * @param onProgress bytes so far and in all; 0 = not known
 * @throws system  no connection, or a status other than success
 */
export async function download(
  address: string,
  path: string,
  onProgress: (current: number, total: number) => void,
  signal: AbortSignal,
): Promise<Download> {
  let url = new URL(address);
  for (let redirects = 0; ; redirects++) {
    const response = await get(url, signal);
    const status = response.statusCode ?? 0;
    const location = response.headers.location;
    if (status >= 300 && status < 400 && location !== undefined) {
      response.destroy();
      if (redirects >= maximumRedirects) throw systemError(`failed to GET ${address}: too many redirects`);
      url = new URL(location, url);
      continue;
    }
    if (status >= 400 || status < 200) {
      response.destroy();
      throw systemError(`failed to GET ${address} with status ${status} ${response.statusMessage ?? ''}`.trim());
    }
    const total = Number(response.headers['content-length'] ?? 0);
    let current = 0;
    response.on('data', (chunk: Buffer) => {
      current += chunk.length;
      onProgress(current, total);
    });
    await pipeline(response, createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal });
    const modified = Date.parse(response.headers['last-modified'] ?? '');
    return {
      contentType: (response.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase(),
      contentDisposition: response.headers['content-disposition'] ?? '',
      lastModifiedMs: Number.isNaN(modified) ? undefined : modified,
      url,
    };
  }
}

function get(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const request = send(url, { signal, timeout: connectTimeoutMs, headers: { 'user-agent': 'gantry-builder' } });
    request.once('response', resolve);
    request.once('timeout', () => request.destroy(new Error(`no answer within ${connectTimeoutMs / 1000} s`)));
    request.once('error', (error) => {
      reject(signal.aborted ? error : systemError(`failed to GET ${url.href}: ${error.message}`, error));
    });
    request.end();
  });
}

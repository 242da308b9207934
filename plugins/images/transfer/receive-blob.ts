import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { EngineError, systemError } from '@gantry/sdk';
import { type HttpClient, type HttpOptions, refusal } from '../registry/http';
import type { Refusal } from '../registry/registry-error';

export interface ReceiveRequest {
  readonly url: string;
  readonly authorization: string | undefined;
  /** Requests with the same options share their connections. */
  readonly http: HttpOptions;
  readonly digest: string;
  /** Bytes the manifest promises; more or fewer are refused. */
  readonly size: number;
  /** File the blob is written to; what it holds already is the blob's beginning. */
  readonly path: string;
}

export type ReceiveResult =
  /** The file is whole. `digest` is that of its content. */
  { readonly kind: 'received'; readonly digest: string } | ({ readonly kind: 'refused' } & Refusal);

/** The code of errors that asking again would not help: the registry holds something else than it promised. */
export const wrongContent = 'WRONG_CONTENT';

const writeBatchBytes = 1 << 20;

/**
 * Receives one blob over HTTP into a file, hashing on the way, from where an earlier attempt ended. Belongs into a
 * thread of its own: hashing and the garbage of the connection's buffers would hold up everybody else.
 *
 * @throws system  the answer broke off; what came stays in the file
 */
export async function receiveBlob(
  { url, authorization, digest, size, path }: ReceiveRequest,
  http: HttpClient,
  onMoved: (bytes: number) => void,
  signal: AbortSignal,
): Promise<ReceiveResult> {
  const found = (await stat(path).catch(() => undefined))?.size ?? 0;
  let offset = found > size ? 0 : found;
  let hash = await hashOf(path, offset);
  if (offset === size && size > 0) return received(hash);
  const get = (from: number) => {
    const range = from > 0 ? { Range: `bytes=${from}-` } : {};
    const headers = { ...range, ...(authorization === undefined ? {} : { Authorization: authorization }) };
    return http.request({ method: 'GET', url: new URL(url), headers, signal });
  };
  let response = await get(offset);
  if (response.statusCode === 416 && offset > 0) {
    response.resume();
    response = await get(0);
  }
  const status = response.statusCode!;
  if (status !== 200 && status !== 206) return { kind: 'refused', ...(await refusal(response)) };
  if (status === 200 && offset > 0) {
    offset = 0;
    hash = createHash('sha256');
  }
  const file = await open(path, offset > 0 ? 'r+' : 'w', 0o600);
  try {
    const end = await write(response, file, { offset, size, digest, hash }, onMoved);
    if (end < size) throw systemError(`blob ${digest} ended after ${end} of ${size} bytes`);
  } finally {
    response.destroy();
    await file.close();
  }
  return received(hash);
}

const received = (hash: Hash): ReceiveResult => ({ kind: 'received', digest: `sha256:${hash.digest('hex')}` });

/** @returns bytes the file holds now */
async function write(
  response: IncomingMessage,
  file: FileHandle,
  to: { readonly offset: number; readonly size: number; readonly digest: string; readonly hash: Hash },
  onMoved: (bytes: number) => void,
): Promise<number> {
  let position = to.offset;
  let batch: Buffer[] = [];
  let batched = 0;
  const flush = async () => {
    if (batched === 0) return;
    const parts = batch;
    const length = batched;
    batch = [];
    batched = 0;
    await file.writev(parts, position);
    for (const part of parts) to.hash.update(part);
    position += length;
    onMoved(position);
  };
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (position + batched + chunk.length > to.size) {
        batched = 0;
        const message = `blob ${to.digest} is larger than the ${to.size} bytes its manifest promises`;
        throw Object.assign(new EngineError('system', message), { code: wrongContent });
      }
      batch.push(chunk);
      batched += chunk.length;
      if (batched >= writeBatchBytes) await flush();
    }
    await flush();
  } catch (error) {
    // What came is good until its digest says otherwise.
    await flush().catch(() => {});
    throw error;
  }
  return position;
}

async function hashOf(path: string, length: number): Promise<Hash> {
  const hash = createHash('sha256');
  if (length === 0) return hash;
  for await (const chunk of createReadStream(path, { end: length - 1, highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash;
}

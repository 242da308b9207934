import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { systemError } from '@gantry/sdk';
import { sha256 } from '../store/digests';
import type { TransferThread } from '../transfer/transfer-thread';
import type { Authorizer } from './authorizer';
import { type HttpClient, readBody, refusal } from './http';
import { acceptedManifests } from './manifests';
import { type Refusal, registryError } from './registry-error';

export interface FetchedManifest {
  readonly digest: string;
  readonly contentType: string;
  readonly body: Buffer;
}

interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | string;
  /** Made anew for the repetition after a challenge. */
  readonly stream?: () => Readable;
  readonly accept: readonly number[];
  readonly signal: AbortSignal;
}

/** One repository at one endpoint, for one user. @see OCI distribution specification */
export class RepositoryClient {
  constructor(
    /** Such as `https://registry-1.docker.io`. */
    readonly base: URL,
    /** `library/busybox` */
    readonly path: string,
    private readonly http: HttpClient,
    private readonly authorizer: Authorizer,
    /** Such as `repository:library/busybox:pull`. */
    private readonly scope: string,
    private readonly transfers: TransferThread,
  ) {}

  /** The digest a tag has now; undefined when the registry does not tell by HEAD. @throws RegistryError */
  async headManifest(reference: string, signal: AbortSignal): Promise<string | undefined> {
    const response = await this.call({
      method: 'HEAD',
      url: this.url(`manifests/${reference}`),
      headers: { Accept: acceptedManifests },
      accept: [200, 403],
      signal,
    });
    response.resume();
    // Why it is denied is told to GET only.
    if (response.statusCode === 403) return (await this.getManifest(reference, signal)).digest;
    const digest = response.headers['docker-content-digest'];
    return typeof digest === 'string' ? digest : undefined;
  }

  /** @param reference tag or digest. @throws RegistryError; system  the content does not have the digest */
  async getManifest(reference: string, signal: AbortSignal): Promise<FetchedManifest> {
    const response = await this.call({
      method: 'GET',
      url: this.url(`manifests/${reference}`),
      headers: { Accept: acceptedManifests },
      accept: [200],
      signal,
    });
    const body = await readBody(response);
    const digest = sha256(body);
    const isDigest = reference.includes(':');
    if (isDigest && reference.startsWith('sha256:') && digest !== reference)
      throw systemError(`manifest verification failed for digest ${reference}`);
    return { digest, contentType: response.headers['content-type'] ?? '', body };
  }

  /** Fetches a blob into a file, from where the file ends. @returns digest of what the file holds then */
  async receiveBlob(
    { digest, size }: { readonly digest: string; readonly size: number },
    path: string,
    onMoved: (bytes: number) => void,
    signal: AbortSignal,
  ): Promise<string> {
    const url = this.url(`blobs/${digest}`);
    const { options } = this.http;
    return this.authorized<string>({ method: 'GET', url, signal }, async (authorization) => {
      const request = { url: url.href, authorization, http: options, digest, size, path };
      const result = await this.transfers.receive(request, onMoved, signal);
      return result.kind === 'received' ? { accepted: result.digest } : { refused: result };
    });
  }

  /** A small blob, verified. */
  async readBlob(digest: string, signal: AbortSignal): Promise<Buffer> {
    const response = await this.call({ method: 'GET', url: this.url(`blobs/${digest}`), accept: [200], signal });
    const body = await readBody(response);
    if (digest.startsWith('sha256:') && sha256(body) !== digest)
      throw systemError(`content of blob ${digest} does not match its digest`);
    return body;
  }

  async hasBlob(digest: string, signal: AbortSignal): Promise<boolean> {
    const response = await this.call({
      method: 'HEAD',
      url: this.url(`blobs/${digest}`),
      accept: [200, 404],
      signal,
    });
    response.resume();
    return response.statusCode === 200;
  }

  async tags(signal: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    for (let url: URL | undefined = this.url('tags/list'); url !== undefined; ) {
      const response = await this.call({ method: 'GET', url, accept: [200], signal });
      const page = JSON.parse((await readBody(response)).toString('utf8')) as { tags?: string[] | null };
      tags.push(...(page.tags ?? []));
      const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(response.headers.link ?? ''))?.[1];
      url = next === undefined ? undefined : new URL(next, url);
    }
    return tags;
  }

  /**
   * Opens an upload.
   *
   * @param from mount the blob from another repository of the registry, if it is there
   * @returns undefined when the blob was mounted; otherwise where to send it
   */
  async startUpload(from: { digest: string; path: string } | undefined, signal: AbortSignal): Promise<URL | undefined> {
    const url = this.url('blobs/uploads/');
    if (from !== undefined) {
      url.searchParams.set('mount', from.digest);
      url.searchParams.set('from', from.path);
    }
    const response = await this.call({ method: 'POST', url, accept: [201, 202], signal });
    response.resume();
    return response.statusCode === 201 ? undefined : location(response, url);
  }

  /** Sends bytes of unknown number. @returns where to go on */
  async sendChunk(upload: URL, stream: () => Readable, signal: AbortSignal): Promise<URL> {
    const headers = { 'Content-Type': 'application/octet-stream' };
    const response = await this.call({ method: 'PATCH', url: upload, headers, stream, accept: [202], signal });
    response.resume();
    return location(response, upload);
  }

  async finishUpload(upload: URL, digest: string, body: Buffer | undefined, signal: AbortSignal): Promise<void> {
    const url = new URL(upload);
    url.searchParams.set('digest', digest);
    const headers = { 'Content-Type': 'application/octet-stream' };
    const response = await this.call({
      method: 'PUT',
      url,
      headers,
      body: body ?? Buffer.alloc(0),
      accept: [201, 204],
      signal,
    });
    response.resume();
  }

  async putManifest(reference: string, mediaType: string, body: Buffer, signal: AbortSignal): Promise<void> {
    const response = await this.call({
      method: 'PUT',
      url: this.url(`manifests/${reference}`),
      headers: { 'Content-Type': mediaType },
      body,
      accept: [200, 201, 202],
      signal,
    });
    response.resume();
  }

  /** Asks whether this is a v2 registry and the user may enter. */
  async ping(signal: AbortSignal): Promise<void> {
    const response = await this.call({
      method: 'GET',
      url: new URL(`${this.root()}/`, this.base),
      accept: [200],
      signal,
    });
    response.resume();
  }

  /** What the registry's index lists for some words; its own objects. @throws RegistryError  it has no index */
  async search(words: string, limit: number, signal: AbortSignal): Promise<readonly unknown[]> {
    const url = new URL('/v1/search', this.base);
    url.searchParams.set('q', words);
    url.searchParams.set('n', String(limit));
    const response = await this.call({ method: 'GET', url, accept: [200], signal });
    let answer: { results?: unknown } | null;
    try {
      answer = JSON.parse((await readBody(response)).toString('utf8')) as typeof answer;
    } catch (error) {
      throw systemError(`${this.base.host} did not answer the search with JSON`, error);
    }
    return Array.isArray(answer?.results) ? answer.results : [];
  }

  private call(call: Call): Promise<IncomingMessage> {
    return this.authorized<IncomingMessage>(call, async (authorization) => {
      const response = await this.http.request({
        method: call.method,
        url: call.url,
        headers: { ...call.headers, ...(authorization === undefined ? {} : { Authorization: authorization }) },
        body: call.stream?.() ?? call.body,
        signal: call.signal,
      });
      return call.accept.includes(response.statusCode!) ? { accepted: response } : { refused: await refusal(response) };
    });
  }

  /** Does something as the user; once more when the registry asks who that is. */
  private async authorized<T>(
    { method, url, signal }: Pick<Call, 'method' | 'url' | 'signal'>,
    perform: (authorization: string | undefined) => Promise<{ readonly accepted: T } | { readonly refused: Refusal }>,
  ): Promise<T> {
    const { scope } = this;
    for (let attempt = 0; ; attempt++) {
      const answer = await perform(this.authorizer.current(scope));
      if ('accepted' in answer) return answer.accepted;
      const { status, challenge } = answer.refused;
      if (status !== 401 || attempt > 0 || challenge === undefined) throw registryError(answer.refused, method, url);
      this.authorizer.forget(scope);
      await this.authorizer.answer(challenge, scope, signal);
    }
  }

  private url(rest: string): URL {
    return new URL(`${this.root()}/${this.path}/${rest}`, this.base);
  }

  /** A mirror may be below a path of its host, and say itself where its `/v2/` is. */
  private root(): string {
    const before = this.base.pathname.replace(/\/+$/, '');
    return /\/v2(\/|$)/.test(before) ? before : `${before}/v2`;
  }
}

function location(response: IncomingMessage, base: URL): URL {
  const { location } = response.headers;
  if (location === undefined) throw systemError(`the registry ${base.host} does not say where to upload to`);
  return new URL(location, base);
}

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestOf } from './image-archive';

type Fault = (request: IncomingMessage, response: ServerResponse, blob: Buffer) => boolean;

/** A registry that serves what it is given and misbehaves on demand. */
export interface FakeRegistry {
  readonly host: string;
  /** `GET /v2/…` in order of arrival. */
  readonly requests: string[];
  readonly blobs: Map<string, Buffer>;
  put(repository: string, tag: string, config: Buffer, layers: readonly Buffer[]): string;
  /** Sees every blob request first; true = it has answered. */
  onBlob: Fault | undefined;
  /** Sees every request first; true = it has answered. */
  onRequest: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  close(): Promise<void>;
}

const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';

export async function startFakeRegistry(): Promise<FakeRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Buffer>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (self.onRequest?.(request, response)) return;
    const [, repository, kind, name] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url!) ?? [];
    const content = kind === 'blobs' ? blobs.get(name!) : manifests.get(`${repository}/${name}`);
    if (content === undefined) {
      const code = kind === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN';
      response.writeHead(404, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase().replace('_', ' ') }] }));
      return;
    }
    if (kind === 'blobs' && self.onBlob?.(request, response, content)) return;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      'Content-Type': kind === 'blobs' ? 'application/octet-stream' : manifestType,
      'Docker-Content-Digest': digestOf(content),
      'Content-Length': content.length - start,
    });
    response.end(request.method === 'HEAD' ? undefined : content.subarray(start));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const self: FakeRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    blobs,
    onBlob: undefined,
    onRequest: undefined,
    put(repository, tag, config, layers) {
      for (const blob of [config, ...layers]) blobs.set(digestOf(blob), blob);
      const describe = (mediaType: string, blob: Buffer) => ({ mediaType, size: blob.length, digest: digestOf(blob) });
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: manifestType,
          config: describe('application/vnd.docker.container.image.v1+json', config),
          layers: layers.map((blob) => describe('application/vnd.docker.image.rootfs.diff.tar.gzip', blob)),
        }),
      );
      manifests.set(`${repository}/${tag}`, manifest);
      manifests.set(`${repository}/${digestOf(manifest)}`, manifest);
      return digestOf(manifest);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return self;
}

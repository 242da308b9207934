import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestOf, ociParts, type TestImage } from './images';

/** A registry that serves at a given speed and counts what it sends of each blob. */
export interface CountingRegistry {
  readonly host: string;
  /** @returns digests of the layers, lowest first */
  put(repository: string, tag: string, image: TestImage): string[];
  /** Bytes sent by blob since the last call. */
  takeSent(): Map<string, number>;
  close(): Promise<void>;
}

const pieceBytes = 128 * 1024;

/** @param bytesPerSecond of one answer */
export async function startCountingRegistry(bytesPerSecond: number): Promise<CountingRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, { type: string; body: Buffer }>();
  let sent = new Map<string, number>();

  const sendBlob = async (digest: string, request: http.IncomingMessage, response: http.ServerResponse) => {
    const blob = blobs.get(digest)!;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, { 'Content-Length': blob.length - start });
    if (request.method === 'HEAD') return response.end();
    for (let at = start; at < blob.length && !response.destroyed; at += pieceBytes) {
      const piece = blob.subarray(at, at + pieceBytes);
      sent.set(digest, (sent.get(digest) ?? 0) + piece.length);
      response.write(piece);
      await new Promise((resolve) => setTimeout(resolve, (piece.length / bytesPerSecond) * 1000));
    }
    return response.end();
  };

  const server = http.createServer((request, response) => {
    const [, repository, kind, name] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
    if (kind === 'blobs' && blobs.has(name!)) return void sendBlob(name!, request, response);
    const manifest = manifests.get(`${repository} ${name}`);
    if (manifest === undefined) return void response.writeHead(request.url === '/v2/' ? 200 : 404).end('{}');
    response.writeHead(200, {
      'Content-Type': manifest.type,
      'Content-Length': manifest.body.length,
      'Docker-Content-Digest': digestOf(manifest.body),
    });
    response.end(request.method === 'HEAD' ? undefined : manifest.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    put(repository, tag, image) {
      const { manifest, blobs: parts } = ociParts(image);
      for (const [digest, data] of parts) blobs.set(digest, data);
      const parsed = JSON.parse(manifest.toString()) as { mediaType: string; layers: { digest: string }[] };
      for (const name of [tag, digestOf(manifest)])
        manifests.set(`${repository} ${name}`, { type: parsed.mediaType, body: manifest });
      return parsed.layers.map(({ digest }) => digest);
    },
    takeSent() {
      const taken = sent;
      sent = new Map();
      return taken;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

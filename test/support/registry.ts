import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually';
import { digestOf, ociParts, type TestImage } from './images';

/** Debian's docker-registry on the loopback address. */
export interface TestRegistry {
  /** Such as "127.0.0.1:41234": what goes before the repository's name. */
  readonly host: string;
  /** Puts an image in under repository:tag and returns its manifest's digest. */
  put(repository: string, tag: string, image: TestImage): Promise<string>;
  stop(): Promise<void>;
}

export async function startRegistry(): Promise<TestRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'gantry-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  mkdirSync(join(folder, 'data'));
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: host },
  };
  // YAML 1.2 is a superset of JSON.
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually('the registry to answer', async () => (await fetch(`http://${host}/v2/`)).ok);
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, stop, put: (repository, tag, image) => put(`http://${host}/v2/${repository}`, tag, image) };
}

async function put(base: string, tag: string, image: TestImage): Promise<string> {
  const { manifest, blobs } = ociParts(image);
  for (const [digest, data] of blobs) {
    const upload = await expectOk(await fetch(`${base}/blobs/uploads/`, { method: 'POST' }));
    const target = new URL(upload.headers.get('location')!, base);
    target.searchParams.set('digest', digest);
    const headers = { 'Content-Type': 'application/octet-stream' };
    await expectOk(await fetch(target, { method: 'PUT', headers, body: new Uint8Array(data) }));
  }
  const headers = { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' };
  await expectOk(await fetch(`${base}/manifests/${tag}`, { method: 'PUT', headers, body: new Uint8Array(manifest) }));
  return digestOf(manifest);
}

async function expectOk(response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
  return response;
}

/** A TCP port of the loopback address that nobody has at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

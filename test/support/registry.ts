import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
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
  /** Serves the same content at the same address of another network namespace (a file below /run/netns). */
  alsoIn(namespace: string): void;
  stop(): Promise<void>;
}

export interface RegistryOptions {
  /** Default: the loopback address. */
  readonly address?: string;
  /** PEM files: it speaks https. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** It lets in only this user. */
  readonly user?: { readonly name: string; readonly password: string };
  /** It stands in for this one and cannot be written to. */
  readonly proxyOf?: string;
}

export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const { address = '127.0.0.1', tls, user, proxyOf } = options;
  const folder = mkdtempSync(join(tmpdir(), 'gantry-registry-'));
  const host = `${address}:${await freePort(address)}`;
  const base = `${tls === undefined ? 'http' : 'https'}://${host}/v2/`;
  mkdirSync(join(folder, 'data'));
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: host, ...(tls === undefined ? {} : { tls }) },
    ...(proxyOf === undefined ? {} : { proxy: { remoteurl: proxyOf } }),
    ...(user === undefined ? {} : { auth: { htpasswd: { realm: 'test', path: join(folder, 'users') } } }),
  };
  if (user !== undefined) writeFileSync(join(folder, 'users'), `${user.name}:${bcrypt(user.password)}\n`);
  // YAML 1.2 is a superset of JSON.
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  const running: { child: ChildProcess; ended: Promise<void> }[] = [];
  const serve = (before: readonly string[] = []) => {
    const [program = '', ...args] = [...before, 'docker-registry', 'serve', join(folder, 'config.yml')];
    const child = spawn(program, args, { stdio: 'ignore' });
    running.push({ child, ended: new Promise<void>((resolve) => child.once('exit', () => resolve())) });
  };
  serve();
  const alsoIn = (namespace: string) => serve(['nsenter', `--net=/run/netns/${namespace}`]);
  const stop = async () => {
    for (const { child } of running) child.kill('SIGTERM');
    await Promise.all(running.map(({ ended }) => ended));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually('the registry to answer', () => answers(base));
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, alsoIn, stop, put: (repository, tag, image) => put(`${base}${repository}`, tag, image) };
}

/** Whatever it answers, it is there. The certificate is not looked at. */
function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const get = url.startsWith('https:') ? https.get : http.get;
    const request = get(url, { rejectUnauthorized: false }, (response) => resolve(response.resume().statusCode! < 500));
    request.on('error', () => resolve(false));
  });
}

/** As `htpasswd -B` writes it. */
function bcrypt(password: string): string {
  const script = 'import crypt, sys; print(crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))';
  return execFileSync('/usr/bin/python3', ['-W', 'ignore', '-c', script, password], { encoding: 'utf8' }).trim();
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

/** A TCP port of an address of this machine that nobody has at this moment. */
export function freePort(address = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, address, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type FakeRegistry, startFakeRegistry } from './support/fake-registry';
import { configOf, digestOf } from './support/image-archive';
import { type StartedPlugin, startPlugin } from './support/image-plugin';
import { tarOf } from './support/tar';

jest.setTimeout(30_000);

let folder: string;
let engine: StartedPlugin;
let registry: FakeRegistry;
beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'gantry-pull-'));
  engine = await startPlugin(folder);
  registry = await startFakeRegistry();
});
afterEach(async () => {
  await engine.stop();
  await registry.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const small = tarOf([{ name: 'small', data: 'small' }]);
const big = tarOf([{ name: 'big', data: randomBytes(3_000_000) }]);
const config = configOf([small, big]);
const layers = [gzipSync(small), gzipSync(big)];
const bigDigest = digestOf(layers[1]!);
const shortId = (blob: Buffer) => digestOf(blob).slice(7, 19);

const pull = async (name: string, query = 'tag=v1') => {
  const url = `/images/create?fromImage=${registry.host}/${name}&${query}`;
  return (await engine.call('POST', url)).lines;
};
const statuses = (lines: readonly Record<string, unknown>[], id?: string) =>
  lines.filter((line) => line.id === id).map((line) => line.status);
const failure = (lines: readonly Record<string, unknown>[]) => lines.at(-1)?.error;
const blobRequests = () => registry.requests.filter((request) => request.includes('/blobs/'));
const eventually = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
};
const partials = () => fs.readdirSync(join(folder, 'ingest'));

test('a pull tells its progress as dockerd does, and a second one costs one HEAD', async () => {
  const digest = registry.put('team/app', 'v1', config, layers);
  const lines = await pull('team/app');
  const name = `${registry.host}/team/app`;
  expect(statuses(lines, 'v1')).toEqual(['Pulling from team/app']);
  expect([...new Set(statuses(lines, shortId(layers[1]!)))]).toEqual([
    'Pulling fs layer',
    'Downloading',
    'Verifying Checksum',
    'Download complete',
    'Extracting',
    'Pull complete',
  ]);
  expect(statuses(lines)).toEqual([`Digest: ${digest}`, `Status: Downloaded newer image for ${name}:v1`]);
  const [image] = (await engine.call('GET', '/images/json')).body as Record<string, unknown>[];
  expect(image).toMatchObject({ RepoTags: [`${name}:v1`], RepoDigests: [`${name}@${digest}`] });
  expect(partials()).toEqual([]);
  expect(engine.events.at(-1)).toMatchObject({ action: 'pull', actor: { id: `${name}:v1`, attributes: { name } } });

  registry.requests.length = 0;
  expect(statuses(await pull('team/app'))).toEqual([`Digest: ${digest}`, `Status: Image is up to date for ${name}:v1`]);
  expect(registry.requests).toEqual(['HEAD /v2/team/app/manifests/v1']);
  expect(statuses(await pull('team/app', `tag=${digest}`)).at(-1)).toContain('Image is up to date');
});

test('a registry that limits requests is asked again when it says, and for long waits its user is told', async () => {
  registry.put('app', 'v1', config, layers);
  let refusals = 0;
  const refuse = (wait: string) => {
    registry.onBlob = (request, response) => {
      if (!request.url!.endsWith(bigDigest) || refusals++ > 0) return false;
      response.writeHead(429, { 'Retry-After': wait }).end();
      return true;
    };
  };
  refuse('1');
  expect(statuses(await pull('app'), shortId(layers[1]!))).toContain('Retrying in 1 second');
  await engine.call('DELETE', `/images/${registry.host}/app:v1`);
  refusals = 0;
  refuse('3600');
  expect(failure(await pull('app'))).toMatch(/^toomanyrequests: /);
});

test('a broken connection is taken up where it broke', async () => {
  registry.put('app', 'v1', config, layers);
  let breaks = 0;
  registry.onBlob = (request, response, blob) => {
    if (!request.url!.endsWith(bigDigest) || breaks++ > 0) return false;
    response.writeHead(200, { 'Content-Length': blob.length });
    response.write(blob.subarray(0, 2_000_000), () => setTimeout(() => response.destroy(), 100));
    return true;
  };
  const ranges: (string | undefined)[] = [];
  const broken = registry.onBlob;
  registry.onBlob = (request, response, blob) => {
    if (request.url!.endsWith(bigDigest)) ranges.push(request.headers.range);
    return broken(request, response, blob);
  };
  expect(failure(await pull('app'))).toBeUndefined();
  expect(ranges[0]).toBeUndefined();
  expect(Number(/^bytes=(\d+)-$/.exec(ranges[1] ?? '')?.[1])).toBeGreaterThan(0);
  expect(ranges).toHaveLength(2);
});

test('a registry without ranges is read again from the start', async () => {
  registry.put('app', 'v1', config, layers);
  let breaks = 0;
  registry.onBlob = (request, response, blob) => {
    if (!request.url!.endsWith(bigDigest)) return false;
    response.writeHead(200, { 'Content-Length': blob.length });
    if (breaks++ > 0) response.end(blob);
    else response.write(blob.subarray(0, 1_500_000), () => setTimeout(() => response.destroy(), 100));
    return true;
  };
  expect(failure(await pull('app'))).toBeUndefined();
});

test('what a cancelled pull has received is used by the next, also after a restart', async () => {
  registry.put('app', 'v1', config, layers);
  let stall = true;
  let resumedAt: string | undefined;
  registry.onBlob = (request, response, blob) => {
    if (!request.url!.endsWith(bigDigest)) return false;
    resumedAt = request.headers.range;
    if (!stall) return false;
    response.writeHead(200, { 'Content-Length': blob.length });
    response.write(blob.subarray(0, 2_000_000));
    return true;
  };
  const gone = new AbortController();
  const pulling = engine.call('POST', `/images/create?fromImage=${registry.host}/app&tag=v1`, undefined, gone.signal);
  const outcome = pulling.catch((error: unknown) => error);
  await eventually(() => partials().some((name) => fs.statSync(join(folder, 'ingest', name)).size > 1_000_000));
  gone.abort();
  await outcome;
  await engine.stop();
  stall = false;
  engine = await startPlugin(folder);
  expect((await engine.call('GET', '/images/json')).body).toEqual([]);
  expect(failure(await pull('app'))).toBeUndefined();
  expect(Number(/^bytes=(\d+)-$/.exec(resumedAt ?? '')?.[1])).toBeGreaterThan(1_000_000);
});

test('two pulls of one layer share one transfer', async () => {
  registry.put('app', 'v1', config, layers);
  registry.put('copy', 'v1', config, layers);
  const [first, second] = await Promise.all([pull('app'), pull('copy')]);
  expect([failure(first), failure(second)]).toEqual([undefined, undefined]);
  expect(blobRequests().filter((request) => request.endsWith(bigDigest))).toHaveLength(1);
});

test('wrong content is refused, nothing of it stays, and a good registry is believed afterwards', async () => {
  registry.put('app', 'v1', config, layers);
  const evil = Buffer.from(layers[1]!);
  evil[evil.length >> 1]! ^= 1;
  registry.blobs.set(bigDigest, evil);
  expect(failure(await pull('app'))).toContain(`content of blob ${bigDigest} does not match its digest`);
  registry.blobs.set(bigDigest, Buffer.concat([layers[1]!, Buffer.from('more')]));
  expect(failure(await pull('app'))).toContain('is larger than');
  expect((await engine.call('GET', '/images/json')).body).toEqual([]);
  expect(partials()).not.toContain(bigDigest.replace(':', '-'));
  registry.blobs.set(bigDigest, layers[1]!);
  expect(failure(await pull('app'))).toBeUndefined();
});

test('layers of a failed pull wait for the next attempt, also of the next daemon, and prune frees them', async () => {
  registry.put('app', 'v1', config, layers);
  const layerFolders = () => fs.readdirSync(join(folder, 'layers')).filter((name) => name !== 'staging');
  const refuseOnce = async (response: ServerResponse) => {
    await eventually(() => layerFolders().length === 1);
    response.writeHead(404).end();
  };
  registry.onBlob = (request, response) => {
    if (!request.url!.endsWith(bigDigest)) return false;
    void refuseOnce(response);
    return true;
  };
  expect(failure(await pull('app'))).toBe(
    `failed to pull ${registry.host}/app:v1: blob unknown: ${registry.host} does not have ${bigDigest}`,
  );
  expect(layerFolders()).toHaveLength(1);
  await engine.stop();
  engine = await startPlugin(folder);
  expect(layerFolders()).toHaveLength(1);
  registry.onBlob = undefined;
  registry.requests.length = 0;
  expect(failure(await pull('app'))).toBeUndefined();
  expect(blobRequests().filter((request) => !request.endsWith(digestOf(config)))).toEqual([
    `GET /v2/app/blobs/${bigDigest}`,
  ]);
  await engine.call('DELETE', `/images/${registry.host}/app:v1`);
  expect(layerFolders()).toEqual([]);
  fs.writeFileSync(join(folder, 'ingest', `sha256-${'a'.repeat(64)}`), 'partial');
  expect((await engine.call('POST', '/images/prune')).body).toMatchObject({ SpaceReclaimed: 7 });
  expect(partials()).toEqual([]);
});

test('a layer that is not what the config says is refused', async () => {
  registry.put('app', 'v1', configOf([small, small]), layers);
  expect(failure(await pull('app'))).toContain('the image config says');
  expect((await engine.call('GET', '/images/json')).body).toEqual([]);
});

test('what is not there, not for us, or not reachable is told in known words', async () => {
  registry.put('app', 'v1', configOf([small], { architecture: 's390x' }), [layers[0]!]);
  const { host } = registry;
  await expect(pull('app', 'tag=v9')).rejects.toMatchObject({
    kind: 'not-found',
    message: `manifest for ${host}/app:v9 not found: manifest unknown: manifest unknown`,
  });
  // There is no other choice, so it is taken.
  expect(statuses(await pull('app', 'tag=v1&platform=linux/arm/v7')).slice(-2)).toEqual([
    `Status: Downloaded newer image for ${host}/app:v1`,
    `WARNING: image with reference ${host}/app:v1 was found but its platform (linux/s390x) does not match the specified platform (linux/arm/v7)`,
  ]);
  await expect(engine.call('POST', '/images/create?fromImage=127.0.0.1:1/app&tag=v1')).rejects.toMatchObject({
    kind: 'system',
    message: expect.stringContaining('dial tcp 127.0.0.1:1: connect: connection refused'),
  });
});

test('of an image that is here under another name only its digest is told, and all tags are summed up', async () => {
  const digest = registry.put('app', 'v1', config, layers);
  registry.put('other', 'v1', config, layers);
  await pull('app');
  expect((await pull('other')).map(({ status }) => status)).toEqual([
    'Pulling from other',
    `Digest: ${digest}`,
    `Status: Downloaded newer image for ${registry.host}/other:v1`,
  ]);
  registry.onRequest = (request, response) => {
    if (!request.url!.endsWith('/tags/list')) return false;
    response.end(JSON.stringify({ tags: ['v1'] }));
    return true;
  };
  expect(statuses(await pull('other', '')).at(-1)).toBe(`Status: Image is up to date for ${registry.host}/other`);
});

test('a registry is asked about an image without pulling it', async () => {
  const digest = registry.put('app', 'v1', config, layers);
  await pull('app');
  const described = (await engine.call('GET', `/distribution/${registry.host}/app:v1/json`)).body;
  expect(described).toMatchObject({ Descriptor: { digest }, Platforms: [{ os: 'linux' }] });
});

const authHeader = (username: string, password: string) => ({
  'x-registry-auth': Buffer.from(JSON.stringify({ username, password })).toString('base64url'),
});
const pullAs = (headers: Record<string, string>) =>
  engine.call('POST', `/images/create?fromImage=${registry.host}/app&tag=v1`, undefined, undefined, headers);

test('a registry with passwords lets in who has one', async () => {
  registry.put('app', 'v1', config, layers);
  const good = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
  registry.onRequest = (request, response) => {
    if (request.headers.authorization === good) return false;
    response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' }).end();
    return true;
  };
  expect(failure((await pullAs(authHeader('anna', 'secret'))).lines)).toBeUndefined();
  await expect(pullAs(authHeader('anna', 'wrong'))).rejects.toMatchObject({
    kind: 'not-found',
    message: expect.stringContaining("repository does not exist or may require 'docker login'"),
  });
  await expect(pullAs({})).rejects.toMatchObject({ message: expect.stringContaining('no basic auth credentials') });
  const login = (password: string) =>
    engine.call(
      'POST',
      '/auth',
      Buffer.from(JSON.stringify({ username: 'anna', password, serveraddress: registry.host })),
    );
  registry.onRequest = (request, response) => {
    response.writeHead(request.headers.authorization === good ? 200 : 401, { 'WWW-Authenticate': 'Basic realm="x"' });
    response.end();
    return true;
  };
  expect((await login('secret')).body).toEqual({ Status: 'Login Succeeded', IdentityToken: '' });
  await expect(login('wrong')).rejects.toMatchObject({ kind: 'unauthorized' });
});

test('a registry with tokens gets one from its token server, asked once for the repository', async () => {
  registry.put('app', 'v1', config, layers);
  const tokens: string[] = [];
  registry.onRequest = (request, response) => {
    const url = new URL(request.url!, `http://${registry.host}`);
    if (url.pathname === '/token') {
      tokens.push(
        `${url.searchParams.get('service')} ${url.searchParams.get('scope')} ${request.headers.authorization}`,
      );
      response.end(JSON.stringify({ token: 'good', expires_in: 300 }));
      return true;
    }
    if (request.headers.authorization === 'Bearer good') return false;
    const challenge = `Bearer realm="http://${registry.host}/token",service="reg,1",scope="repository:app:pull"`;
    response.writeHead(401, { 'WWW-Authenticate': challenge }).end();
    return true;
  };
  expect(failure((await pullAs(authHeader('anna', 'secret'))).lines)).toBeUndefined();
  const basic = `Basic ${Buffer.from('anna:secret').toString('base64')}`;
  expect(tokens).toEqual([`reg,1 repository:app:pull ${basic}`]);
});

test('credentials do not follow a redirect to another host', async () => {
  registry.put('app', 'v1', config, layers);
  const storage = await startFakeRegistry();
  for (const blob of layers) storage.blobs.set(digestOf(blob), blob);
  const seen: (string | undefined)[] = [];
  storage.onRequest = (request) => {
    seen.push(request.headers.authorization);
    return false;
  };
  registry.onBlob = (request, response) => {
    if (!request.url!.endsWith(bigDigest)) return false;
    response.writeHead(307, { Location: `http://${storage.host}${request.url}` }).end();
    return true;
  };
  const token = Buffer.from(JSON.stringify({ registrytoken: 'secret' })).toString('base64url');
  expect(failure((await pullAs({ 'x-registry-auth': token })).lines)).toBeUndefined();
  expect(seen).toEqual([undefined]);
  await storage.close();
});

test.each<[string, (response: ServerResponse) => void, RegExp]>([
  ['403', (response) => response.writeHead(403).end(), /^pull access denied for HOST\/app, repository does not exist/],
  [
    '403 and why',
    (response) => response.writeHead(403).end('{"errors":[{"code":"DENIED","message":"you may not"}]}'),
    /^pull access denied for HOST\/app, repository does not exist or may require 'docker login': denied: you may not$/,
  ],
  ['404', (response) => response.writeHead(404).end(), /^manifest for HOST\/app:v1 not found: manifest unknown/],
  ['429', (response) => response.writeHead(429).end(), /^toomanyrequests: .*HOST\/app:v1/],
  ['500', (response) => response.writeHead(500).end('oops'), /^failed to pull HOST\/app:v1: .*HTTP status: 500/],
  ['a page of another server', (response) => response.end('<html>hello</html>'), /HOST\/app:v1.* is not a JSON object/],
  [
    'a manifest of another kind',
    (response) =>
      response.setHeader('Content-Type', 'text/plain').end('{"schemaVersion":2,"mediaType":"text/x-other"}'),
    /unsupported manifest media type text\/x-other of HOST\/app:v1/,
  ],
  [
    'schema 1',
    (response) => response.end('{"schemaVersion":1,"name":"app","tag":"v1"}'),
    /schema 1 support has been removed\. Suggest the author of HOST\/app:v1 to upgrade/,
  ],
  ['a reset', (response) => response.destroy(), /HOST\/app:v1: .*(connection reset by peer|socket hang up)/],
])('a registry that answers %s is told of by name, and nothing stays', async (_, answer, message) => {
  registry.put('app', 'v1', config, layers);
  registry.onRequest = (_request, response) => {
    answer(response);
    return true;
  };
  const told = await pull('app').then(failure, (error: Error) => error.message);
  expect(String(told).replaceAll(registry.host, 'HOST')).toMatch(message);
  expect((await engine.call('GET', '/images/json')).body).toEqual([]);
  expect(partials()).toEqual([]);
  registry.onRequest = undefined;
  expect(failure(await pull('app'))).toBeUndefined();
});

test('a layer that breaks off at 90 percent each time fails by name; the next pull asks only for the rest', async () => {
  registry.put('app', 'v1', config, layers);
  const blob = layers[1]!;
  const most = Math.floor(blob.length * 0.9);
  registry.onBlob = (request, response) => {
    if (!request.url!.endsWith(bigDigest)) return false;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, { 'Content-Length': blob.length - start });
    response.write(blob.subarray(start, Math.max(start, most)), () => setTimeout(() => response.destroy(), 50));
    return true;
  };
  expect(failure(await pull('app'))).toContain(`failed to pull ${registry.host}/app:v1: cannot download ${bigDigest}`);
  let asked: string | undefined;
  registry.onBlob = (request) => {
    if (request.url!.endsWith(bigDigest)) asked = request.headers.range;
    return false;
  };
  expect(failure(await pull('app'))).toBeUndefined();
  expect(Number(/^bytes=(\d+)-$/.exec(asked ?? '')?.[1])).toBe(most);
});

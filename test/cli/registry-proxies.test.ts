import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { serverCertificate } from '../support/certificates';
import { daemonForSuite } from '../support/daemon';
import { type ForwardProxy, startForwardProxy } from '../support/forward-proxy';
import { busyboxImage, dockerArchive } from '../support/images';
import { PeerHost } from '../support/peer-host';
import { startRegistry, type TestRegistry } from '../support/registry';

/** These names are known to the proxy alone: whoever gets an answer went through it. */
const plainName = 'plain.example:5000';
const hubName = 'registry-1.docker.io';
const hubUser = { name: 'someone', password: 'hub-secret' };
const image = busyboxImage({ reference: 'tool:v1' });

let host: PeerHost;
let proxy: ForwardProxy;
let plain: TestRegistry;
let hub: TestRegistry;
let direct: TestRegistry;
let mirror: http.Server;
/** What the mirror does with a request, and what it was told of who asks. */
let mirrorAnswers: (request: IncomingMessage, response: ServerResponse) => void;
const toldToMirror: (string | undefined)[] = [];
const env: Record<string, string> = {};
const args: string[] = [];
const hosts = new Map<string, string>();

beforeAll(async () => {
  host = new PeerHost();
  proxy = await startForwardProxy(hosts);
  // The one of daemon.json goes before this one, which leads nowhere.
  Object.assign(env, { HTTP_PROXY: 'http://127.0.0.1:9', HTTPS_PROXY: proxy.url, NO_PROXY: host.hostAddress });
  mirror = http.createServer((request, response) => {
    toldToMirror.push(request.headers.authorization);
    mirrorAnswers(request, response);
  });
  await new Promise<void>((resolve) => mirror.listen(0, '127.0.0.1', resolve));
  args.push(`--registry-mirror=http://127.0.0.1:${(mirror.address() as AddressInfo).port}`);
});

const daemon = daemonForSuite({
  busybox: false,
  env,
  args,
  beforeStart: (each) =>
    each.changeConfig({
      proxies: { 'http-proxy': proxy.url },
      'insecure-registries': [plainName, `${host.hostAddress}/32`],
      plugins: { images: { config: { certificates: join(each.folder, 'certs.d') } } },
    }),
  tidy: (each) => each.removeEverything(),
});
const docker = (...words: string[]) => daemon().cli.ok(...words);

beforeAll(async () => {
  const { folder, api } = daemon();
  serverCertificate(join(folder, 'made'), hubName);
  const tls = { certificate: join(folder, 'made/server.crt'), key: join(folder, 'made/server.key') };
  plain = await startRegistry();
  hub = await startRegistry({ tls, user: hubUser });
  direct = await startRegistry({ address: host.hostAddress });
  hosts.set(plainName, plain.host).set(`${hubName}:443`, hub.host);
  mkdirSync(join(folder, 'certs.d', hubName), { recursive: true });
  cpSync(join(folder, 'made/ca.crt'), join(folder, 'certs.d', hubName, 'ca.crt'));
  const auth = Buffer.from(`${hubUser.name}:${hubUser.password}`).toString('base64');
  writeFileSync(
    join(folder, 'client/config.json'),
    JSON.stringify({ auths: { 'https://index.docker.io/v1/': { auth } } }),
  );
  const headers = { 'Content-Type': 'application/x-tar' };
  await api.post('/images/load?quiet=1', undefined, { body: dockerArchive(image), headers });
});
beforeEach(() => {
  mirrorAnswers = (_, response) => response.writeHead(404).end();
  proxy.requests.length = 0;
  toldToMirror.length = 0;
});
afterAll(async () => {
  mirror.closeAllConnections();
  await Promise.all([plain.stop(), hub.stop(), direct.stop(), proxy.close()]);
  await new Promise((resolve) => mirror.close(resolve));
  host.remove();
});

async function pushAndPull(name: string): Promise<void> {
  await docker('tag', 'tool:v1', name);
  await docker('push', name);
  await docker('rmi', name);
  await docker('pull', name);
  await docker('rmi', name);
}

test('a plain registry is reached through the http proxy of daemon.json, which goes before the environment', async () => {
  await pushAndPull(`${plainName}/team/tool:v1`);
  expect(proxy.requests).toContain(`GET http://${plainName}/v2/team/tool/manifests/v1`);
  expect(proxy.requests.some((line) => line.startsWith(`GET http://${plainName}/v2/team/tool/blobs/sha256:`))).toBe(
    true,
  );
});

test('a registry with TLS is reached through a tunnel of the environment’s https proxy', async () => {
  await pushAndPull(`${hubUser.name}/tool:v1`);
  expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT ${hubName}:443`]));
});

test('hosts of NO_PROXY are asked directly', async () => {
  await pushAndPull(`${direct.host}/team/tool:v1`);
  expect(proxy.requests).toEqual([]);
});

test('a proxy that refuses is named as the reason', async () => {
  const { code, stderr } = await daemon().cli.run(['pull', 'unknown.example/team/tool:v1']);
  expect([code, stderr]).toEqual([1, expect.stringContaining('the proxy answered 502 Bad Gateway')]);
});

describe('a mirror of the default registry', () => {
  beforeAll(async () => {
    const { cli } = daemon();
    for (const name of [`${hubUser.name}/only-there:v1`, `${hubUser.name}/mirrored:v1`]) {
      await cli.ok('tag', 'tool:v1', name);
      await cli.ok('push', name);
      await cli.ok('rmi', name);
    }
    await plain.put(`${hubUser.name}/mirrored`, 'v1', image);
  });
  const onPlain = (request: IncomingMessage, response: ServerResponse) => {
    const { method, url, headers } = request;
    http
      .request(`http://${plain.host}${url}`, { method, headers: { ...headers, host: plain.host } }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      })
      .end();
  };
  const pull = async (name: string) => {
    await docker('pull', `${hubUser.name}/${name}:v1`);
    await docker('rmi', `${hubUser.name}/${name}:v1`);
  };

  test('is asked first, without the credentials of the registry', async () => {
    mirrorAnswers = onPlain;
    await pull('mirrored');
    expect(proxy.requests).toEqual([]);
    expect(new Set(toldToMirror)).toEqual(new Set([undefined]));
  });

  test.each<[string, typeof mirrorAnswers, string?]>([
    ['does not have the image', onPlain],
    ['wants a password', (_, to) => to.writeHead(401, { 'WWW-Authenticate': 'Basic realm="mirror"' }).end()],
    ['fails', (_, to) => to.writeHead(500).end('no')],
    ['hangs up', (request) => request.socket.destroy()],
    [
      'has lost a layer',
      (request, to) => (request.url!.includes('/blobs/') ? to.writeHead(404).end() : onPlain(request, to)),
      'mirrored',
    ],
  ])('that %s is passed over', async (_, answers, name = 'only-there') => {
    mirrorAnswers = answers;
    await pull(name);
    expect(toldToMirror.length).toBeGreaterThan(0);
    expect(new Set(toldToMirror)).toEqual(new Set([undefined]));
  });

  test('is not asked for what names another registry, and is shown by info', async () => {
    await docker('pull', `${plainName}/${hubUser.name}/mirrored:v1`);
    expect(toldToMirror).toEqual([]);
    expect(await docker('info')).toContain(`Registry Mirrors:\n  http://127.0.0.1:`);
  });
});

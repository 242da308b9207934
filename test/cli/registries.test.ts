import { cpSync, mkdirSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { serverCertificate } from '../support/certificates';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { busyboxImage, digestOf, dockerArchive } from '../support/images';
import { PeerHost } from '../support/peer-host';
import { startRegistry } from '../support/registry';

const daemon = daemonForSuite({
  busybox: false,
  beforeStart: (each) =>
    each.changeConfig({ plugins: { images: { config: { certificates: join(each.folder, 'certs.d') } } } }),
  tidy: (each) => each.removeEverything(),
});
const docker = (...args: string[]) => daemon().cli.ok(...args);
const fails = async (...args: string[]) => {
  const { code, stderr } = await daemon().cli.run(args);
  expect([args, code]).toEqual([args, 1]);
  return stderr;
};
const image = busyboxImage({ reference: 'tool:v1', layers: [[{ name: 'extra', data: 'more' }]] });

/** An address of this machine that is not a loopback one: registries there must prove who they are. */
let host: PeerHost;
beforeAll(async () => {
  host = new PeerHost();
  const headers = { 'Content-Type': 'application/x-tar' };
  await daemon().api.post('/images/load?quiet=1', undefined, { body: dockerArchive(image), headers });
});
afterAll(() => host.remove());

async function roundTrip(name: string): Promise<void> {
  await docker('tag', 'tool:v1', name);
  await docker('push', name);
  await docker('rmi', name);
  await docker('pull', name);
  expect(await docker('images', '-q', '--no-trunc', name)).toBe(digestOf(image.config));
  await docker('rmi', name);
}

test('a registry with a private authority is believed as soon as its certificate is in the folder', async () => {
  const address = host.hostAddress;
  const made = join(daemon().folder, 'made');
  serverCertificate(made, address);
  const tls = { certificate: join(made, 'server.crt'), key: join(made, 'server.key') };
  const registry = await startRegistry({ address, tls });
  try {
    const unknown = await fails('pull', `${registry.host}/tool:v1`);
    expect(unknown).toContain(`Head "https://${registry.host}/v2/tool/manifests/v1"`);
    expect(unknown).toContain('x509: certificate signed by unknown authority');
    mkdirSync(join(daemon().folder, 'certs.d', registry.host), { recursive: true });
    cpSync(join(made, 'ca.crt'), join(daemon().folder, 'certs.d', registry.host, 'ca.crt'));
    await roundTrip(`${registry.host}/tool:v1`);
    rmSync(join(daemon().folder, 'certs.d', registry.host), { recursive: true });
    expect(await fails('pull', `${registry.host}/tool:v1`)).toContain('unknown authority');
  } finally {
    await registry.stop();
  }
});

test('a registry with passwords lets in who has logged in, and nobody else', async () => {
  const registry = await startRegistry({ user: { name: 'anna', password: 'secret' } });
  const name = `${registry.host}/private/tool:v1`;
  try {
    await docker('tag', 'tool:v1', name);
    expect(await fails('push', name)).toContain('no basic auth credentials');
    expect(await fails('pull', name)).toContain('no basic auth credentials');
    const login = (password: string) =>
      daemon().cli.run(['login', '-u', 'anna', '--password-stdin', registry.host], { input: password });
    const refused = await login('wrong');
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/unauthorized|401/i)]);
    expect((await login('secret')).stdout).toContain('Login Succeeded');
    await roundTrip(name);
    await docker('logout', registry.host);
    expect(await fails('pull', name)).toContain('no basic auth credentials');
  } finally {
    await registry.stop();
  }
});

test('a registry without TLS that is not on this machine must be called insecure; a reload is enough', async () => {
  const registry = await startRegistry({ address: host.hostAddress });
  const name = `${registry.host}/tool:v1`;
  try {
    await docker('tag', 'tool:v1', name);
    expect(await fails('push', name)).toContain('server gave HTTP response to HTTPS client');
    await docker('rmi', name);
    await reload({ 'insecure-registries': [`${host.hostAddress}/32`] });
    await roundTrip(name);
  } finally {
    await registry.stop();
  }
});

test('mirrors of any registry are asked first, fall back, and change with a reload', async () => {
  const [registry, mirror] = [await startRegistry(), await startRegistry()];
  let asked = 0;
  const broken = http.createServer((_, response) => {
    asked++;
    response.writeHead(500).end('no');
  });
  await new Promise<void>((resolve) => broken.listen(0, '127.0.0.1', resolve));
  const brokenUrl = `http://127.0.0.1:${(broken.address() as AddressInfo).port}/below/`;
  const mirrors = (urls: readonly string[]) => {
    return reload({ 'registry-mirror-prefixes': { [`${registry.host}/team`]: urls } });
  };
  try {
    await mirror.put('team/tool', 'only-there', image);
    await mirror.put('cache/team/tool', 'deeper', image);
    await registry.put('team/tool', 'only-here', image);
    expect(await fails('pull', `${registry.host}/team/tool:only-there`)).toContain('not found');
    await mirrors([brokenUrl, `http://${mirror.host}`]);
    for (const tag of ['only-there', 'only-here']) await docker('pull', `${registry.host}/team/tool:${tag}`);
    expect(asked).toBe(2);
    expect(await fails('pull', `${registry.host}/other/tool:only-there`)).toContain('not found');
    await mirrors([`http://${mirror.host}/v2/cache`]);
    await docker('pull', `${registry.host}/team/tool:deeper`);
    expect(await docker('images', '--format', '{{.Tag}}', `${registry.host}/team/tool`)).toContain('deeper');
    await docker('push', `${registry.host}/team/tool:deeper`);
    await mirrors([]);
    await docker('pull', `${registry.host}/team/tool:deeper`);
  } finally {
    broken.close();
    await Promise.all([registry.stop(), mirror.stop()]);
  }
});

async function reload(config: Readonly<Record<string, unknown>>): Promise<void> {
  const count = () => daemon().log.split('configuration reloaded').length;
  const before = count();
  daemon().changeConfig(config);
  process.kill(daemon().pid, 'SIGHUP');
  await eventually('the daemon to have read its configuration', () => count() > before);
}

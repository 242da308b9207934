import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anonymous } from '../registry/credentials';
import { endpointsFor, isInsecure } from '../registry/endpoints';
import { matchPlatform, parsePlatform, platformRank } from '../registry/platform';
import { Registries } from '../registry/registries';
import { TransferThread } from '../transfer/transfer-thread';
import { silent } from './support/image-plugin';

jest.setTimeout(30_000);

const settings = {
  insecureRegistries: ['10.1.0.0/16', 'plain.example:5000'],
  registryMirrors: ['http://127.0.0.1:9'],
  registryMirrorPrefixes: {},
  proxies: { httpProxy: '', httpsProxy: '', noProxy: '' },
};

test.each([
  ['127.0.0.1:5000', true],
  ['127.8.9.10', true],
  ['[::1]:5000', true],
  ['localhost:5000', true],
  ['10.1.2.3:5000', true],
  ['10.2.2.3:5000', false],
  ['plain.example:5000', true],
  ['plain.example:5001', false],
  ['ghcr.io', false],
])('%s may be insecure: %s', (domain, insecure) => {
  expect(isInsecure(domain, settings)).toBe(insecure);
  expect(endpointsFor(domain, 'app', settings, false).map(({ base }) => base.protocol)).toEqual(
    insecure ? ['https:', 'http:'] : ['https:'],
  );
});

test('mirrors come before the default registry, and only for reading', () => {
  const hosts = (forPush: boolean) =>
    endpointsFor('docker.io', 'library/app', settings, forPush).map(({ base }) => base.origin);
  expect(hosts(false)).toEqual(['http://127.0.0.1:9', 'https://registry-1.docker.io']);
  expect(hosts(true)).toEqual(['https://registry-1.docker.io']);
});

test('the longest beginning of a name decides which mirrors are asked, and the registry comes last', () => {
  const registryMirrorPrefixes = {
    'ghcr.io': ['https://all.example'],
    'ghcr.io/team': ['https://team.example/v2/cache', 'https://second.example'],
    'docker.io': ['https://hub.example'],
  };
  const origins = (domain: string, path: string, forPush = false) =>
    endpointsFor(domain, path, { ...settings, registryMirrorPrefixes }, forPush).map(({ base }) => base.host);
  expect(origins('ghcr.io', 'team/app')).toEqual(['team.example', 'second.example', 'ghcr.io']);
  expect(origins('ghcr.io', 'teams/app')).toEqual(['all.example', 'ghcr.io']);
  expect(origins('ghcr.io', 'team/app', true)).toEqual(['ghcr.io']);
  expect(origins('ghcr.io', '')).toEqual(['ghcr.io']);
  expect(origins('quay.io', 'app')).toEqual(['quay.io']);
  expect(origins('docker.io', 'library/app')).toEqual(['hub.example', '127.0.0.1:9', 'registry-1.docker.io']);
});

test('older variants run on newer machines, not the other way round', () => {
  const v7 = parsePlatform('linux/arm/v7');
  expect(platformRank(v7, { os: 'linux', architecture: 'arm', variant: 'v7' })).toBeGreaterThan(
    platformRank(v7, { os: 'linux', architecture: 'arm', variant: 'v6' }),
  );
  expect(matchPlatform(parsePlatform('linux/arm/v6'), { os: 'linux', architecture: 'arm', variant: 'v7' })).toBe(false);
  expect(matchPlatform(parsePlatform('arm64'), { os: 'linux', architecture: 'arm64', variant: 'v8' })).toBe(true);
  expect(matchPlatform(parsePlatform('linux/amd64'), { os: 'linux', architecture: 'amd64', variant: 'v3' })).toBe(
    false,
  );
  expect(() => parsePlatform('linux/a/b/c')).toThrow('"linux/a/b/c": cannot parse platform specifier');
  expect(() => parsePlatform('bogus')).toThrow('"bogus": unknown operating system or architecture');
  expect(() => parsePlatform('linux/!')).toThrow('"!" is an invalid component of "linux/!"');
});

test('a registry that wants a certificate of ours is shown the one kept for it', async () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'gantry-certs-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const sign = (name: string, subject: string) => {
    openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      subject,
    );
    fs.writeFileSync(join(folder, 'san'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    const authority = ['-CA', 'ca.crt', '-CAkey', 'ca.pem', '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...authority,
      '-days',
      '1',
      '-extfile',
      'san',
      '-out',
      `${name}.cert`,
    );
  };
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    'ca.pem',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=ca',
  );
  sign('server', '/CN=server');
  sign('client', '/CN=client');
  const read = (name: string) => fs.readFileSync(join(folder, name));
  const tls = { key: read('server.key'), cert: read('server.cert'), ca: read('ca.crt'), requestCert: true };
  const server = createServer({ ...tls, rejectUnauthorized: true }, (_, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);

  const certificates = join(folder, 'certs.d', base.host);
  const { signal } = new AbortController();
  const ping = async () => {
    const registries = new Registries(settings, silent, join(folder, 'certs.d'), new TransferThread());
    const access = { domain: base.host, path: '', credentials: anonymous, actions: 'pull' as const };
    await registries.connect(access, (client) => client.ping(signal), signal).finally(() => registries.close());
  };
  // Loopback is insecure by default: the authority is not checked, but the server wants our certificate.
  await expect(ping()).rejects.toThrow();
  fs.mkdirSync(certificates, { recursive: true });
  for (const name of ['ca.crt', 'client.cert']) fs.copyFileSync(join(folder, name), join(certificates, name));
  await expect(ping()).rejects.toThrow('client.cert has no client.key beside it');
  fs.copyFileSync(join(folder, 'client.key'), join(certificates, 'client.key'));
  await ping();
  server.closeAllConnections();
  server.close();
  fs.rmSync(folder, { recursive: true });
});

test('what cannot be an address is refused by name', () => {
  expect(() => endpointsFor('::1', 'app', settings, false)).toThrow('invalid registry address: "::1"');
});

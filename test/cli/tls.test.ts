import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { clientCertificate, followRecipe } from '../support/certificates';
import { daemonForSuite } from '../support/daemon';
import { DockerCli } from '../support/docker-cli';
import { eventually } from '../support/eventually';

const folder = mkdtempSync(join(tmpdir(), 'gantry-tls-'));
const certs = join(folder, 'certs');
const foreign = join(folder, 'foreign');
followRecipe(certs);
followRecipe(foreign);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const daemon = daemonForSuite({
  config: {
    tlsverify: true,
    tlscacert: join(certs, 'ca.pem'),
    tlscert: join(certs, 'server-cert.pem'),
    tlskey: join(certs, 'server-key.pem'),
  },
  args: ['-H', 'tcp://127.0.0.1:0', '-H', 'tcp://[::1]:0'],
});

const ports = () =>
  [...daemon().log.matchAll(/API listens.*address="?tcp:\/\/(\S+):(\d+)/g)].map(([, host, port]) => ({
    host: host!.replace(/[[\]]/g, ''),
    port: Number(port),
  }));

beforeAll(() => eventually('both ports to be open', () => ports().length === 2));

/** The docker client as the guide sets it up, with the certificates in this folder. */
function clientWith(folderOfCertificates: string): DockerCli {
  return new DockerCli(`tcp://localhost:${ports()[0]!.port}`, join(daemon().folder, 'client'), {
    DOCKER_TLS_VERIFY: '1',
    DOCKER_CERT_PATH: folderOfCertificates,
  });
}

test('the docker client works over TLS with certificates made by the recipe', async () => {
  const cli = clientWith(certs);
  expect(await cli.ok('version', '--format', '{{.Server.APIVersion}}')).toBe('1.51');
  expect(await cli.ok('run', '--rm', 'busybox', 'echo', 'encrypted')).toBe('encrypted');
  // A megabyte each way, and an end of input that is not the end of output.
  const input = Buffer.alloc(1 << 20, 'x');
  const echoed = await cli.run(['run', '--rm', '-i', 'busybox', 'sh', '-c', 'wc -c; echo done'], { input });
  expect(echoed).toMatchObject({ code: 0, stdout: `${input.length}\ndone\n` });
  await cli.ok('run', '-d', '--name', 'over-tls', 'busybox', 'sleep', '600');
  expect(await cli.run(['exec', '-i', 'over-tls', 'cat'], { input: 'hijacked' })).toMatchObject({ stdout: 'hijacked' });
  await cli.ok('rm', '-f', 'over-tls');
  expect((await cli.run(['info'])).stderr).not.toMatch(/API is accessible/);
});

test('clients without a certificate, and with an expired, a foreign or a server’s one, are refused', async () => {
  const bare = join(folder, 'bare');
  mkdirSync(bare);
  copyFileSync(join(certs, 'ca.pem'), join(bare, 'ca.pem'));
  expect((await clientWith(bare).run(['ps'])).stderr).toMatch(/certificate required|bad certificate/i);

  const refused = async (name: string, how: Parameters<typeof clientCertificate>[2], reason: string) => {
    clientCertificate(certs, join(folder, name), how);
    const { code, stderr } = await clientWith(join(folder, name)).run(['ps']);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/error during connect/i);
    await eventually(`the log to say ${reason}`, () => daemon().log.includes(reason));
  };
  await refused('expired', { subject: '/CN=late', until: '20210101000000Z' }, 'CERT_HAS_EXPIRED');
  await refused('early', { subject: '/CN=early', from: '20390101000000Z' }, 'CERT_NOT_YET_VALID');
  await refused('usurped', { subject: '/CN=server', usage: 'serverAuth' }, 'INVALID_PURPOSE');

  // It trusts our server and shows a certificate of its own authority, with our authority's name.
  const mixed = join(folder, 'mixed');
  mkdirSync(mixed);
  copyFileSync(join(certs, 'ca.pem'), join(mixed, 'ca.pem'));
  for (const file of ['cert.pem', 'key.pem']) copyFileSync(join(foreign, file), join(mixed, file));
  expect((await clientWith(mixed).run(['ps'])).code).not.toBe(0);
  const foreigner = /TLS client refused.*(SIGNATURE|UNABLE_TO|SELF_SIGNED)/;
  await eventually('the log to say why', () => foreigner.test(daemon().log));
  // And a client that trusts the foreign authority does not trust us.
  expect((await clientWith(foreign).run(['ps'])).stderr).toMatch(/certificate/);

  const plain = new DockerCli(`tcp://localhost:${ports()[0]!.port}`, join(daemon().folder, 'client'));
  expect((await plain.run(['ps'])).code).not.toBe(0);
});

test('old versions of TLS are refused, on every listener', async () => {
  expect(ports().map(({ host }) => host)).toEqual(['127.0.0.1', '::1']);
  const identity = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((file) => require('node:fs/promises').readFile(join(certs, file))),
  );
  const handshake = ({ host, port }: { host: string; port: number }, version: tls.SecureVersion) =>
    new Promise<string>((resolve) => {
      const [ca, cert, key] = identity;
      const socket = tls.connect({
        ...{ host, port, ca, cert, key, servername: 'localhost' },
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT@SECLEVEL=0',
      });
      socket.once('secureConnect', () => socket.write('GET /_ping HTTP/1.0\r\n\r\n'));
      socket.once('data', (data) => {
        resolve(String(data).split('\r\n', 1)[0]!);
        socket.destroy();
      });
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  for (const place of ports()) {
    expect(await handshake(place, 'TLSv1')).toMatch(/PROTOCOL_VERSION/);
    expect(await handshake(place, 'TLSv1.1')).toMatch(/PROTOCOL_VERSION/);
    expect(await handshake(place, 'TLSv1.2')).toBe('HTTP/1.1 200 OK');
    expect(await handshake(place, 'TLSv1.3')).toBe('HTTP/1.1 200 OK');
  }
});

test('a client that breaks off in the middle of the handshake, or speaks something else, harms nobody', async () => {
  const { host, port } = ports()[0]!;
  for (const bytes of ['', '\x16\x03\x01\x02', 'GET / HTTP/1.1\r\n\r\n', '\x00'.repeat(2000)]) {
    const socket = require('node:net').connect({ host, port });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write(bytes);
    socket.resetAndDestroy();
  }
  expect(await clientWith(certs).ok('ps', '-q')).toBe('');
});

test('over ssh the client needs no certificate: docker system dial-stdio', async () => {
  // What ssh would do on the other host, done here: the last words are the command.
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const script = `#!/bin/sh
while [ $# -gt 0 ] && [ "$1" != docker ]; do case "$1" in "docker "*) break ;; esac; shift; done
exec env DOCKER_HOST=${daemon().host} PATH="$REAL_PATH" sh -c "$*"
`;
  writeFileSync(join(bin, 'ssh'), script);
  chmodSync(join(bin, 'ssh'), 0o755);
  const cli = new DockerCli('ssh://somebody@elsewhere', join(daemon().folder, 'client'), {
    PATH: `${bin}:${process.env.PATH}`,
    REAL_PATH: process.env.PATH!,
  });
  await cli.ok('run', '-d', '--name', 'far', 'busybox', 'sleep', '600');
  expect(await cli.ok('ps', '--format', '{{.Names}}')).toBe('far');
  const piped = await cli.run(['exec', '-i', 'far', 'sh', '-c', 'cat; echo done'], { input: 'through two pipes\n' });
  expect(piped).toMatchObject({ code: 0, stdout: 'through two pipes\ndone\n' });
  await cli.ok('rm', '-f', 'far');
  await eventually(
    'the connections to end',
    async () => !(await daemon().api.get('/containers/json?all=1')).json().length,
  );
});

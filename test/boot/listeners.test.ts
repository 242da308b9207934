import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { followRecipe } from '../support/certificates';
import { daemonForSuite } from '../support/daemon';
import { DockerCli } from '../support/docker-cli';
import { refusedStart } from '../support/refused-start';

const folder = mkdtempSync(join(tmpdir(), 'gantry-listeners-'));
const certs = join(folder, 'certs');
followRecipe(certs);
const home = join(folder, 'home');
mkdirSync(join(home, '.docker'), { recursive: true });
for (const [from, to] of [
  ['ca.pem', 'ca.pem'],
  ['server-cert.pem', 'cert.pem'],
  ['server-key.pem', 'key.pem'],
] as const)
  copyFileSync(join(certs, from), join(home, '.docker', to));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const daemon = daemonForSuite({
  config: { tlsverify: false },
  args: ['-H', 'tcp://localhost:0', '--group', String(process.getgid!())],
  env: { HOME: home, DOCKER_CERT_PATH: '' },
  busybox: false,
});

test('certificates are found in ~/.docker, and serving everybody is warned of', async () => {
  const port = await daemon().tcpPort();
  const cli = new DockerCli(`tcp://localhost:${port}`, join(folder, 'client'), {
    DOCKER_TLS_VERIFY: '1',
    DOCKER_CERT_PATH: certs,
  });
  expect(await cli.ok('version', '--format', '{{.Server.Os}}')).toBe('linux');
  const info = await cli.run(['info']);
  expect(info.stderr).toMatch(new RegExp(`WARNING: API is accessible on https://\\S+:${port} without TLS client`));
  expect(daemon().log).toMatch(/level=warning? msg="binding to tcp:\/\/localhost:0 without verifying clients/);
});

const refusal = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  refusedStart(folder, args, { HOME: folder, DOCKER_CERT_PATH: '', ...env });

const file = (name: string) => join(certs, name);
const tcp = ['-H', 'tcp://127.0.0.1:0'];
const flags = (cert: string, key: string, ca: string) => [
  ...tcp,
  '--tlsverify',
  `--tlscert=${cert}`,
  `--tlskey=${key}`,
  `--tlscacert=${ca}`,
];

test('without any certificate the start is refused, with the name of the file that was looked for', async () => {
  expect(await refusal([...tcp, '--tls'])).toContain(join(folder, '.docker/cert.pem'));
  expect(await refusal([...tcp, '--tlsverify'], { DOCKER_CERT_PATH: '/nowhere' })).toContain('/nowhere/cert.pem');
});

test('files that do not fit are named', async () => {
  const [cert, key, ca] = [file('server-cert.pem'), file('server-key.pem'), file('ca.pem')];
  const junk = join(folder, 'junk.pem');
  writeFileSync(junk, 'no certificate at all\n');
  chmodSync(junk, 0o600);
  const outcomes = await Promise.all([
    refusal(flags(cert, file('key.pem'), ca)),
    refusal(flags(cert, '/missing/key.pem', ca)),
    refusal(flags(junk, key, ca)),
    refusal(flags(cert, junk, ca)),
    refusal(flags(cert, key, junk)),
    refusal(flags(cert, key, certs)),
  ]);
  expect(outcomes).toEqual([
    expect.stringContaining(`the key ${file('key.pem')} does not belong to the certificate ${cert}`),
    expect.stringContaining('cannot read the TLS key /missing/key.pem'),
    expect.stringContaining(`${junk} holds no TLS certificate`),
    expect.stringContaining(`${junk} holds no private key`),
    expect.stringContaining(`${junk} holds no CA certificate`),
    expect.stringContaining(`cannot read the TLS CA certificate ${certs}`),
  ]);
});

test('a group that is not there is refused, except for the usual one', async () => {
  expect(await refusal(['-H', `unix://${join(folder, 'a.sock')}`, '--group', 'nobody-has-this'])).toContain(
    'group nobody-has-this for the API socket does not exist',
  );
});

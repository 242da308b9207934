import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Guard, refuse } from '../support/authorization-guard';
import { clientCertificate, followRecipe } from '../support/certificates';
import { daemonForSuite } from '../support/daemon';
import { DockerCli } from '../support/docker-cli';

const folder = mkdtempSync(join(tmpdir(), 'gantry-authz-context-'));
followRecipe(folder);
const alice = join(folder, 'alice');
clientCertificate(folder, alice, {
  subject: '/O=Example/OU=dev/CN=alice',
  names: 'DNS:alice.example,email:alice@example,URI:spiffe://example/alice',
});
const curious = new Guard('curious', folder, true);

/** What it answers, and with which status. */
let verdict: [status: number, body: string] = [200, '{"Allow":true}'];

/** A plugin as people write them against dockerd: what it was sent, to the byte. */
const sent: string[] = [];
const plain = http.createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  if (request.url !== '/Plugin.Activate') sent.push(`${request.url} ${body}`);
  if (request.url === '/Plugin.Activate') return void response.end('{"Implements":["authz"]}');
  response.statusCode = verdict[0];
  response.end(verdict[1]);
});

beforeAll(async () => {
  await curious.serve();
  await new Promise<void>((resolve) => plain.listen(join(folder, 'plain.sock'), resolve));
});
const daemon = daemonForSuite({
  config: {
    'plugin-directories': { sockets: folder, specs: [] },
    'authorization-plugins': ['plain', 'curious'],
    tlsverify: true,
    tlscacert: join(folder, 'ca.pem'),
    tlscert: join(folder, 'server-cert.pem'),
    tlskey: join(folder, 'server-key.pem'),
  },
  args: ['-H', 'tcp://127.0.0.1:0'],
});
beforeEach(() => {
  curious.reset();
  sent.length = 0;
});
afterAll(async () => {
  await curious.close();
  plain.closeAllConnections();
  plain.close();
  rmSync(folder, { recursive: true, force: true });
});

const overTls = async () => {
  const port = await daemon().tcpPort();
  return new DockerCli(`tcp://localhost:${port}`, join(daemon().folder, 'client'), {
    DOCKER_TLS_VERIFY: '1',
    DOCKER_CERT_PATH: alice,
  });
};

test('a certificate names its user in both phases, as for dockerd (section 7.1)', async () => {
  await (await overTls()).ok('volume', 'create', 'hers');
  const create = curious.requests.find(({ uri }) => uri.endsWith('/volumes/create'))!;
  expect(create).toMatchObject({ user: 'alice', userAuthMethod: 'TLS', method: 'POST' });
  const certificate = readFileSync(join(alice, 'cert.pem'), 'utf8');
  expect(create.peerCertificatesPem[0]!.replace(/\s/g, '')).toBe(certificate.replace(/\s/g, ''));
  expect(curious.answers.find(({ uri }) => uri.endsWith('/volumes/create'))).toMatchObject({ user: 'alice' });
  const wire = sent.map((line) => JSON.parse(line.slice(line.indexOf(' '))));
  const shown = wire.find(({ RequestUri }) => RequestUri.endsWith('/volumes/create'));
  expect(shown).toMatchObject({ User: 'alice', UserAuthNMethod: 'TLS' });
  expect(Buffer.from(shown.RequestPeerCertificates[0], 'base64').toString()).toMatch(/^-----BEGIN CERTIFICATE-----\n/);
  await daemon().api.delete('/volumes/hers');
});

test('who did not ask for it is sent what dockerd sends, and nothing else', async () => {
  await daemon().api.post('/v1.51/volumes/create?x=1', { Name: 'bytes' }, { headers: { 'X-One': '1' } });
  expect(sent[0]).toBe(
    `/AuthZPlugin.AuthZReq ${JSON.stringify({
      RequestMethod: 'POST',
      RequestUri: '/v1.51/volumes/create?x=1',
      RequestBody: Buffer.from('{"Name":"bytes"}').toString('base64'),
      // As Go writes a map.
      RequestHeaders: { Connection: 'close', 'Content-Length': '16', 'Content-Type': 'application/json', 'X-One': '1' },
    })}\n`,
  );
  const answer = JSON.parse(sent[1]!.replace('/AuthZPlugin.AuthZRes ', ''));
  expect(Object.keys(answer)).toEqual([
    'RequestMethod',
    'RequestUri',
    'RequestBody',
    'RequestHeaders',
    'ResponseStatusCode',
    'ResponseBody',
    'ResponseHeaders',
  ]);
  expect(curious.requests[0]!.context).toBeDefined();
  await daemon().api.delete('/volumes/bytes');
});

test.each([
  [200, '{"allow":true}', 200],
  [200, '{"Allow":true,"Err":"out of order"}', 500],
  [200, '{"Allow":"true"}', 403],
  [200, '{"Allow":1}', 403],
  [200, '{}', 403],
  [200, '[]', 500],
  [200, 'null', 500],
  [200, 'true', 500],
  [200, '{"Allow":true', 500],
  [200, '', 500],
  [201, '{"Allow":true}', 500],
  [204, '', 500],
  [302, '{"Allow":true}', 500],
  [403, '{"Allow":true}', 500],
  [500, '{"Err":"no"}', 500],
] as const)(
  'an answer of %i %s gives %i: only a clear yes is one (P-AZ-6, P-CALL-7)',
  async (status, body, expected) => {
    verdict = [status, body];
    try {
      const answer = await daemon().api.get('/_ping');
      expect(answer.status).toBe(expected);
      if (expected === 500) expect(answer.json().message).toMatch(/^plugin plain failed with error: /);
      if (expected === 403) expect(answer.json().message).toMatch(/^authorization denied by plugin plain: /);
      if (expected !== 200) expect(curious.requests).toEqual([]);
    } finally {
      verdict = [200, '{"Allow":true}'];
    }
  },
);

test('who asks is told the process behind a unix socket, and the certificate behind TLS', async () => {
  await daemon().api.get('/_ping');
  expect(curious.requests[0]!.context).toEqual({
    listener: daemon().host,
    peer: { uid: process.getuid!(), gid: process.getgid!(), pid: process.pid },
    route: { method: 'GET', path: '/_ping', params: {}, apiVersion: '1.51' },
  });
  curious.reset();
  await (await overTls()).ok('volume', 'ls');
  expect(curious.requests.at(-1)!.context).toEqual({
    listener: expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/),
    certificate: {
      subject: { O: ['Example'], OU: ['dev'], CN: ['alice'] },
      alternativeNames: ['DNS:alice.example', 'email:alice@example', 'URI:spiffe://example/alice'],
    },
    route: { method: 'GET', path: '/volumes', params: {}, apiVersion: expect.stringMatching(/^1\.\d\d$/) },
  });
});

test('the object is told by its id and labels, whatever it was called by', async () => {
  const { api } = daemon();
  const labels = { team: 'blue' };
  const { Id } = (
    await api.post('/containers/create?name=web', { Image: 'busybox', Cmd: ['cat'], Labels: labels })
  ).json();
  await api.post('/networks/create', { Name: 'net', Labels: labels });
  await api.post('/volumes/create', { Name: 'vol', Labels: labels });
  const subjectOf = async (method: string, path: string) => {
    curious.reset();
    await api.request(method, path);
    return curious.requests.at(-1)!.context?.subject;
  };
  const container = { kind: 'container', id: Id, name: 'web', labels };
  expect(await subjectOf('GET', '/containers/web/json')).toEqual(container);
  expect(await subjectOf('POST', `/v1.40/containers/${Id.slice(0, 9)}/stop`)).toEqual(container);
  expect(await subjectOf('POST', '/containers/%77eb/attach?stream=0')).toEqual(container);
  expect(await subjectOf('GET', '/containers/nothing/json')).toBeUndefined();
  expect(await subjectOf('GET', '/containers/json')).toBeUndefined();
  expect(await subjectOf('GET', '/networks/net')).toMatchObject({ kind: 'network', name: 'net', labels });
  expect(await subjectOf('DELETE', '/volumes/vol')).toEqual({ kind: 'volume', id: 'vol', name: 'vol', labels });
  expect(await subjectOf('GET', '/images/busybox/json')).toMatchObject({
    kind: 'image',
    id: expect.stringContaining('sha256:'),
  });
  await api.post('/containers/web/start');
  const exec = (await api.post('/containers/web/exec', { Cmd: ['true'] })).json().Id;
  expect(await subjectOf('GET', `/exec/${exec}/json`)).toEqual({ kind: 'exec', id: exec, name: 'web', labels });
  // A rule by label holds on hijacked routes too.
  curious.judge = ({ context }) =>
    context?.subject?.labels.team === 'blue' ? refuse('blue is taboo') : { allow: true };
  await expect(api.hijack('/containers/web/attach?stream=1')).rejects.toThrow('403');
  expect((await api.post(`/exec/${exec}/start`, {})).json().message).toContain('blue is taboo');
  curious.reset();
  await api.delete('/containers/web?force=1');
  await api.delete('/networks/net');
});

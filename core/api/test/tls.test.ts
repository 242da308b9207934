import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import { reply } from '@gantry/sdk';
import { openBoundSocket } from '@gantry/sdk/linux/sockets';
import { parseListenAddress } from '../listeners/listen-address';
import { closeFixtures, type Fixture, parseAnswer, readToEnd, readUntil, startApi, temporaryDir } from './api-fixture';

afterEach(closeFixtures);

/** A CA, a server certificate for localhost, a client certificate, and one from a foreign CA. */
async function makeCertificates(): Promise<string> {
  const dir = await temporaryDir();
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = (name: string) => {
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  };
  const signed = (name: string, by: string) => {
    openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const ca = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...ca, '-days', '2', '-extfile', 'names', '-out', `${name}.pem`);
  };
  await writeFile(join(dir, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  authority('ca');
  authority('foreign');
  signed('server', 'ca');
  signed('client', 'ca');
  signed('stranger', 'foreign');
  return dir;
}

async function listenTls(fixture: Fixture, dir: string, verifyClients: boolean): Promise<number> {
  const [listener] = await fixture.server.listen({
    kind: 'tcp',
    host: '127.0.0.1',
    port: 0,
    tls: {
      certFile: join(dir, 'server.pem'),
      keyFile: join(dir, 'server.key'),
      caFile: join(dir, 'ca.pem'),
      verifyClients,
    },
  });
  const address = parseListenAddress(listener!.name, { socketPath: '/unused' });
  return address.kind === 'tcp' ? address.port : 0;
}

async function connectTls(dir: string, port: number, client: string | undefined, options: ConnectionOptions = {}) {
  const ca = await readFile(join(dir, 'ca.pem'));
  const identity =
    client === undefined
      ? {}
      : { cert: await readFile(join(dir, `${client}.pem`)), key: await readFile(join(dir, `${client}.key`)) };
  return new Promise<TLSSocket>((resolve, reject) => {
    // Node passes allowHalfOpen on; the types of tls.connect do not know it.
    const target: ConnectionOptions & { allowHalfOpen: boolean } = {
      host: '127.0.0.1',
      port,
      ca,
      servername: 'localhost',
      allowHalfOpen: true,
      ...identity,
      ...options,
    };
    const socket = tls.connect(target, () => resolve(socket));
    socket.once('error', reject);
  });
}

const ping = 'GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

async function pingOver(dir: string, port: number, client: string | undefined, options?: ConnectionOptions) {
  const socket = await connectTls(dir, port, client, options);
  // With TLS 1.3 a refused client certificate is noticed by the first read: an error, or the end.
  const failed = new Promise<never>((_, reject) => socket.once('error', reject));
  socket.write(ping);
  const text = await Promise.race([readToEnd(socket), failed]);
  if (text === '') throw new Error('closed without an answer');
  return parseAnswer(text);
}

test('with tlsverify only certificates of the CA get in', async () => {
  const dir = await makeCertificates();
  const fixture = await startApi([]);
  const port = await listenTls(fixture, dir, true);
  expect((await pingOver(dir, port, 'client')).body).toBe('OK');
  await expect(pingOver(dir, port, undefined)).rejects.toThrow();
  await expect(pingOver(dir, port, 'stranger')).rejects.toThrow();
  await expect(pingOver(dir, port, 'client', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })).rejects.toThrow();
  expect(fixture.log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
});

test('with tls alone everybody gets in, and that is said', async () => {
  const dir = await makeCertificates();
  const fixture = await startApi([]);
  const port = await listenTls(fixture, dir, false);
  expect((await pingOver(dir, port, undefined)).body).toBe('OK');
  expect(fixture.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
});

test.each([
  ['101 UPGRADED', 'Connection: Upgrade\r\nUpgrade: tcp\r\n'],
  ['200 OK', ''],
])('a hijacked connection half-closes over TLS too (%s)', async (status, extra) => {
  const dir = await makeCertificates();
  let unwritten: number | undefined;
  const fixture = await startApi([
    {
      method: 'POST',
      path: '/attach',
      flags: { hijack: true },
      handle: () =>
        reply.hijack('application/vnd.docker.raw-stream', async ({ stream }) => {
          unwritten = stream.writableLength;
          let input = '';
          for await (const chunk of stream) input += chunk;
          stream.write(`input ${input}`);
        }),
    },
  ]);
  const socket = await connectTls(dir, await listenTls(fixture, dir, true), 'client');
  socket.write(`POST /attach HTTP/1.1\r\nHost: x\r\n${extra}\r\n`);
  expect(await readUntil(socket, '\r\n\r\n')).toContain(status);
  socket.end('over TLS');
  expect(await readToEnd(socket)).toBe('input over TLS');
  // HTTP/2 writes to the TLS connection itself, which aborts the process when it writes already.
  expect(unwritten).toBe(0);
});

test('a port handed over by systemd is served with TLS when TLS is asked for', async () => {
  const dir = await makeCertificates();
  const fixture = await startApi([]);
  const fd = openBoundSocket('tcp', new Uint8Array([127, 0, 0, 1]), 0);
  const before = { ...process.env };
  Object.assign(process.env, { LISTEN_PID: String(process.pid), LISTEN_FDS: '1000' });
  try {
    const tls = {
      certFile: join(dir, 'server.pem'),
      keyFile: join(dir, 'server.key'),
      caFile: join(dir, 'ca.pem'),
      verifyClients: true,
    };
    const [listener] = await fixture.server.listen({ kind: 'fd', select: String(fd), tls });
    expect(listener).toMatchObject({ name: `fd://${fd}` });
    expect(listener!.exposedAs).toBeUndefined();
    const port = ((listener as unknown as { server: Server }).server.address() as AddressInfo).port;
    expect((await pingOver(dir, port, 'client')).body).toBe('OK');
    await expect(pingOver(dir, port, undefined)).rejects.toThrow();
  } finally {
    process.env = before;
  }
});

test('a certificate that cannot be read is named', async () => {
  const dir = await makeCertificates();
  const { server } = await startApi([]);
  const files = { certFile: join(dir, 'nope.pem'), keyFile: join(dir, 'server.key'), verifyClients: false };
  await expect(server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0, tls: files })).rejects.toMatchObject({
    kind: 'invalid-parameter',
    message: expect.stringContaining('nope.pem'),
  });
});

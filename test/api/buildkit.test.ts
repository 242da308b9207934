import http2 from 'node:http2';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { answer, call, field, grpcFrame, startFakeBuildkit, upgradeToHttp2 } from '../support/fake-buildkit';
import { busyboxImage, dockerArchive } from '../support/images';

const socketPath = join('/tmp', `gantry-buildkit-${process.pid}.sock`);
const daemon = daemonForSuite({ config: { builder: { buildkit: `unix://${socketPath}` } } });
let buildkit: Awaited<ReturnType<typeof startFakeBuildkit>>;

beforeAll(async () => {
  buildkit = await startFakeBuildkit(socketPath, dockerArchive(busyboxImage({ reference: 'from-buildkit:1' })));
});
afterAll(() => buildkit.close());

test('clients of BuildKit are told of it, reach it, and let it call them; the image lands here', async () => {
  expect((await daemon().api.get('/_ping')).headers['builder-version']).toBe('2');
  const sessionId = 'session0123456789abcdefgh';
  const client = http2.performServerHandshake(
    await upgradeToHttp2(daemon().socketPath, '/session', [
      `X-Docker-Expose-Session-Uuid: ${sessionId}`,
      'X-Docker-Expose-Session-Name: context',
      'X-Docker-Expose-Session-Grpc-Method: /moby.filesync.v1.FileSync/DiffCopy',
      'X-Docker-Expose-Session-Grpc-Method: /moby.filesync.v1.Auth/Credentials',
    ]),
  );
  client.on('stream', (stream, headers) => {
    if (headers[':path'] === '/moby.filesync.v1.FileSync/DiffCopy') answer(stream, grpcFrame(field(1, 'this file')));
    else {
      // Without reading what it is asked, as gRPC does.
      stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true });
      stream.close(http2.constants.NGHTTP2_NO_ERROR);
    }
  });
  await eventually('the session to be there', () => buildkit.sessions.has(sessionId));
  expect(buildkit.sessions.get(sessionId)!.headers).toMatchObject({
    'x-docker-expose-session-name': 'context',
    'x-docker-expose-session-grpc-method': [
      '/moby.filesync.v1.FileSync/DiffCopy',
      '/moby.filesync.v1.Auth/Credentials',
      '/moby.filesync.v1.FileSend/DiffCopy',
    ].join(', '),
  });
  const control = await upgradeToHttp2(daemon().socketPath, '/grpc');
  const caller = http2.connect('http://docker', { createConnection: () => control });
  const body = grpcFrame(field(1, 'x'.repeat(200_000)));
  const echoed = await call(caller, '/moby.buildkit.v1.Control/ListWorkers', body);
  expect([echoed.body.equals(body), echoed.trailers['grpc-status'], echoed.trailers['x-echo']]).toEqual([
    true,
    '0',
    'yes',
  ]);
  // Nobody reads a client's answer to a call it does not know as its own.
  const unknown = await call(buildkit.sessions.get(sessionId)!.client, '/moby.filesync.v1.FileSend/DiffCopy', body);
  expect(unknown.trailers['grpc-status']).toBe('12');

  const exporter = Buffer.concat([field(1, 'moby'), field(2, Buffer.concat([field(1, 'name'), field(2, 'x')]))]);
  const request = Buffer.concat([field(1, 'ref'), field(5, sessionId), field(6, 'dockerfile.v0'), field(13, exporter)]);
  const solved = await call(caller, '/moby.buildkit.v1.Control/Solve', grpcFrame(request));
  expect(solved.body.toString()).toContain('this file');
  expect(JSON.parse(String(solved.trailers['x-sent']))).toMatchObject({ 'grpc-status': '0' });
  expect(buildkit.solved[0]!.toString('latin1')).toContain('\x01docker'.replace('\x01', '\n\x06'));
  expect(buildkit.solved[0]!.toString('latin1')).not.toContain('moby');
  expect((await daemon().api.get('/images/from-buildkit:1/json')).status).toBe(200);
  caller.close();
  client.close();
  await eventually('the session to end', () => buildkit.sessions.get(sessionId)!.client.destroyed);
});

test.each([
  ['is killed', (socket: Socket) => void socket.destroy()],
  [
    'says goodbye',
    (socket: Socket, session: http2.ServerHttp2Session) => {
      session.goaway();
      setImmediate(() => socket.end());
    },
  ],
] as const)('a client that %s in the middle of a call takes its session along', async (how, leave) => {
  const sessionId = `session-of-a-client-that-${how.replace(' ', '-')}`;
  const socket = await upgradeToHttp2(daemon().socketPath, '/session', [`X-Docker-Expose-Session-Uuid: ${sessionId}`]);
  const client = http2.performServerHandshake(socket);
  client.on('error', () => {});
  const asked = new Promise<void>((resolve) =>
    client.on('stream', (stream) => {
      stream.on('error', () => {});
      resolve();
    }),
  );
  await eventually('the session to be there', () => buildkit.sessions.has(sessionId));
  // More than a client takes that does not read.
  const body = grpcFrame(field(1, 'x'.repeat(200_000)));
  const answered = call(buildkit.sessions.get(sessionId)!.client, '/moby.filesync.v1.FileSync/DiffCopy', body);
  await asked;
  leave(socket, client);
  await eventually('the session to end', () => buildkit.sessions.get(sessionId)!.client.destroyed);
  await answered.catch(() => {});
});

test('what cannot be a session is refused, and a BuildKit that is not there is named', async () => {
  const refused = async (path: string, headers: Record<string, string>) => {
    const { status, text } = await daemon().api.post(path, undefined, { headers });
    return [status, (JSON.parse(text) as { message: string }).message];
  };
  expect(await refused('/session', {})).toEqual([400, expect.stringContaining('no upgrade')]);
  buildkit.close();
  expect(await refused('/grpc', {})).toEqual([503, expect.stringContaining(`cannot be reached at ${socketPath}`)]);
});

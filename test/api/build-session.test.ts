import { existsSync, readdirSync } from 'node:fs';
import http2, { type ServerHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { addedFiles, build, contextTar } from '../support/build';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { answer, field, grpcFrame, upgradeToHttp2 } from '../support/fake-buildkit';

const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const api = () => daemon().api;
const session = 'abcdefghijklmnopqrstuvwxy';
const lent = () => join(daemon().execRoot, 'builder/private');
let client: ServerHttp2Session;

/** A client that knows one secret and one agent, which says everything back in capitals. */
beforeAll(async () => {
  const uuid = `X-Docker-Expose-Session-Uuid: ${session}`;
  client = http2.performServerHandshake(await upgradeToHttp2(daemon().socketPath, '/session', [uuid]));
  client.on('stream', async (stream, headers) => {
    stream.on('error', () => {});
    const refuse = (status: string) =>
      stream.respond({ ':status': 200, 'grpc-status': status, 'grpc-message': 'unknown' }, { endStream: true });
    if (headers[':path'] === '/moby.sshforward.v1.SSH/ForwardAgent') {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.on('data', (chunk: Buffer) => stream.write(Buffer.from(chunk.toString('latin1').toUpperCase(), 'latin1')));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
    const asked = Buffer.concat(chunks).subarray(7).toString();
    if (headers[':path'] === '/moby.buildkit.secrets.v1.Secrets/GetSecret')
      return asked === 'token' ? answer(stream, grpcFrame(field(1, 's3cret'))) : refuse('5');
    if (headers[':path'] === '/moby.sshforward.v1.SSH/CheckAgent')
      return asked === 'default' ? answer(stream, grpcFrame(Buffer.alloc(0))) : refuse('2');
    refuse('12');
  });
});
afterAll(() => client.destroy());

const run = (line: string) => build(api(), contextTar(`FROM busybox\nRUN ${line}\n`), { session, nocache: '1' });

test('a secret of the client is there for one step, as a file or a variable, and in no image', async () => {
  const made = await run(
    '--mount=type=secret,id=token,uid=7,mode=0440 --mount=type=secret,id=token,target=/deep/t --mount=type=secret,id=token,env=T --mount=type=secret,id=other stat -c "%u %a" /run/secrets/token; cat /run/secrets/token /deep/t; echo " $T"; test ! -e /run/secrets/other && touch /done',
  );
  expect(made.error).toBeUndefined();
  expect(made.output).toContain('7 440\ns3crets3cret s3cret\n');
  expect(await addedFiles(api(), made.imageId!, 1)).toEqual({ '/done': '0644 0:0 ' });
  expect(JSON.stringify((await api().get(`/images/${made.imageId}/json`)).json())).not.toContain('s3cret');
  expect(readdirSync(lent())).toEqual([]);
});

test('what is required and not lent fails the step', async () => {
  expect((await run('--mount=type=secret,id=other,required=true true')).error).toContain('secret other: not found');
  expect((await run('--mount=type=ssh,id=other,required true')).error).toContain('unset ssh forward key other');
  const foreign = await build(api(), contextTar('FROM busybox\nRUN --mount=type=secret,id=a true\n'), {
    session: 'nobody',
  });
  expect(foreign.error).toContain('no active session for nobody');
});

test('an agent of the client is reached through its socket', async () => {
  const building = run('--mount=type=ssh,mode=0666 stat -c "%F %a" $SSH_AUTH_SOCK; sleep 2');
  const socketPath = () =>
    readdirSync(lent())
      .map((name) => join(lent(), name, 'agent'))
      .find((path) => existsSync(path));
  await eventually('the socket', () => socketPath() !== undefined);
  const socket = connect(socketPath()!);
  socket.write('sign this');
  const reply = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
  expect(reply.toString()).toBe('SIGN THIS');
  socket.end();
  const made = await building;
  expect(made.error).toBeUndefined();
  expect(made.output).toContain('socket 666\n');
  await eventually('the socket to go', () => readdirSync(lent()).length === 0);
});

import { once } from 'node:events';
import WebSocket from 'ws';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite();

/** A client on a container's websocket, and what it has been sent. */
async function open(path: string) {
  const socket = new WebSocket(`ws+unix://${daemon().socketPath}:${path}`);
  const got = { text: '', binary: [] as boolean[], closed: undefined as number | undefined };
  socket.on('message', (data, isBinary) => {
    got.text += data.toString();
    got.binary.push(isBinary);
  });
  socket.on('close', (code) => {
    got.closed = code;
  });
  await once(socket, 'open');
  return { socket, got };
}

async function create(name: string, command: readonly string[], more = {}): Promise<void> {
  const body = { Image: 'busybox', Cmd: command, ...more };
  expect((await daemon().api.post(`/containers/create?name=${name}`, body)).status).toBe(201);
}

test('a websocket carries input and output of a container, unframed and in binary messages', async () => {
  await create('cat', ['cat'], { OpenStdin: true, StdinOnce: true });
  const { socket, got } = await open('/v1.51/containers/cat/attach/ws?stream=1&stdin=1&stdout=1');
  await daemon().api.post('/containers/cat/start');
  socket.send('first ');
  socket.send(Buffer.from('second'));
  await eventually('the echo', () => got.text === 'first second');
  expect(got.binary).not.toContain(false);
  socket.close();
  // Standard input was to be opened once: with the client it ends, and so does the program.
  const exit = await daemon().api.post('/containers/cat/wait');
  expect(exit.json()).toEqual({ StatusCode: 0 });
  await daemon().api.delete('/containers/cat');
});

test('clients before 1.42 get every stream, those before 1.28 in text messages', async () => {
  await create('both', ['sh', '-c', 'echo out; echo err >&2']);
  const chosen = await open('/v1.42/containers/both/attach/ws?stream=1&stderr=1');
  const text = await open('/v1.27/containers/both/attach/ws?stream=1');
  await daemon().api.post('/containers/both/start');
  await eventually('the end of both', () => chosen.got.closed === 1000 && text.got.closed === 1000);
  expect(chosen.got).toMatchObject({ text: 'err\n', binary: [true] });
  expect(text.got.text.split('\n').sort()).toEqual(['', 'err', 'out']);
  expect(text.got.binary).not.toContain(true);
  const replayed = await open('/v1.51/containers/both/attach/ws?logs=1&stdout=1');
  await eventually('the end of the replay', () => replayed.got.closed === 1000);
  expect(replayed.got.text).toBe('out\n');
  await daemon().api.delete('/containers/both');
});

test('what is no handshake, or no container, is answered in plain HTTP', async () => {
  await create('idle', ['true']);
  const plain = await daemon().api.get('/v1.51/containers/idle/attach/ws?stream=1');
  expect(plain).toMatchObject({ status: 400 });
  expect(plain.json<{ message: string }>().message).toContain('not websocket protocol');
  const tcp = await daemon().api.get('/v1.51/containers/idle/attach/ws?stream=1', {
    headers: { Connection: 'Upgrade', Upgrade: 'tcp' },
  });
  expect(tcp.status).toBe(400);
  await expect(open('/v1.51/containers/nobody/attach/ws?stream=1')).rejects.toThrow('404');
  await daemon().api.delete('/containers/idle');
});

test('a container whose websocket client vanishes goes on, also in the middle of endless output', async () => {
  await create('endless', ['sh', '-c', 'while :; do echo line after line; done']);
  const { socket, got } = await open('/v1.51/containers/endless/attach/ws?stream=1&stdout=1');
  await daemon().api.post('/containers/endless/start');
  await eventually('some output', () => got.text.length > 10_000);
  socket.terminate();
  const state = async () => (await daemon().api.get('/containers/endless/json')).json<any>().State;
  expect(await state()).toMatchObject({ Running: true });
  expect((await daemon().api.post('/containers/endless/stop?t=0')).status).toBe(204);
  await daemon().api.delete('/containers/endless');
});

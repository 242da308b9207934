import { createSocket, type Socket } from 'node:dgram';
import { type AddressInfo, createServer } from 'node:net';
import { gunzipSync, inflateSync } from 'node:zlib';
import type { LogInfo } from '@gantry/sdk';
import { makeGelfDriver } from '../gelf-driver';

const driver = makeGelfDriver();
const timeNs = 1_704_164_645_123_456_789n;

const info = (options: Record<string, string>): LogInfo => ({
  containerId: 'c'.repeat(64),
  containerName: 'web',
  imageId: `sha256:${'b'.repeat(64)}`,
  imageName: 'busybox',
  entrypoint: 'sh',
  args: ['-c', 'true'],
  createdAt: new Date(0),
  env: ['COLOUR=red'],
  labels: { team: 'a' },
  logPath: '',
  options,
});

const line = (text: string, source: 'stdout' | 'stderr' = 'stdout') => ({ source, timeNs, data: Buffer.from(text) });

let socket: Socket;
let datagrams: Buffer[];
let notice: () => void;
beforeEach(async () => {
  datagrams = [];
  notice = () => undefined;
  socket = createSocket('udp4');
  socket.on('message', (message) => {
    datagrams.push(message);
    notice();
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
});
afterEach(() => socket.close());

async function received(count: number): Promise<Buffer[]> {
  while (datagrams.length < count)
    await new Promise<void>((resolve) => {
      notice = resolve;
    });
  return datagrams;
}

const address = () => `udp://127.0.0.1:${socket.address().port}`;

test.each([
  [{}, gunzipSync],
  [{ 'gelf-compression-type': 'zlib', 'gelf-compression-level': '9' }, inflateSync],
  [{ 'gelf-compression-type': 'none' }, (data: Buffer) => data],
])('a line over udp with %j is a message with the container’s fields', async (options, unpack) => {
  const writer = await driver.open(info({ 'gelf-address': address(), env: 'COLOUR', labels: 'team', ...options }));
  await writer.write(line('hi\n', 'stderr'));
  await writer.close();
  const [datagram] = await received(1);
  expect(JSON.parse(unpack(datagram!).toString())).toEqual({
    version: '1.1',
    host: expect.any(String),
    short_message: 'hi',
    timestamp: 1704164645.123,
    level: 3,
    _command: 'sh -c true',
    _container_id: 'c'.repeat(64),
    _container_name: 'web',
    _created: '1970-01-01T00:00:00.000Z',
    _image_id: `sha256:${'b'.repeat(64)}`,
    _image_name: 'busybox',
    _tag: 'c'.repeat(12),
    _COLOUR: 'red',
    _team: 'a',
  });
});

test('a long message is sent in chunks that belong together', async () => {
  const writer = await driver.open(info({ 'gelf-address': address(), 'gelf-compression-type': 'none' }));
  await writer.write(line(`${'x'.repeat(10_000)}\n`));
  await writer.close();
  const chunks = await received(8);
  expect(chunks.every((chunk) => chunk.readUInt16BE(0) === 0x1e0f && chunk[11] === chunks.length)).toBe(true);
  expect(new Set(chunks.map((chunk) => chunk.toString('hex', 2, 10))).size).toBe(1);
  const whole = Buffer.concat([...chunks].sort((a, b) => a[10]! - b[10]!).map((chunk) => chunk.subarray(12)));
  expect(JSON.parse(whole.toString()).short_message).toBe('x'.repeat(10_000));
});

test('over tcp each message ends with a zero byte, in order', async () => {
  let text = '';
  const server = createServer((peer) => peer.on('data', (data) => (text += data)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const writer = await driver.open(info({ 'gelf-address': `tcp://127.0.0.1:${port}` }));
  await writer.write(line('one\ntwo\n'));
  await writer.close();
  await new Promise((resolve) => server.close(resolve));
  const messages = text.split('\0').slice(0, -1);
  expect(messages.map((message) => JSON.parse(message).short_message)).toEqual(['one', 'two']);
});

test.each([
  [{}, 'gelf-address is a required parameter'],
  [{ 'gelf-address': 'x' }, 'gelf: endpoint needs to be TCP or UDP'],
  [{ 'gelf-address': 'udp://x' }, 'gelf: please provide gelf-address as proto://host:port'],
  [{ 'gelf-address': 'http://x:1' }, 'gelf: endpoint needs to be TCP or UDP'],
  [{ 'gelf-address': 'tcp://x:1', 'gelf-compression-type': 'gzip' }, 'compression is only supported on UDP'],
  [{ 'gelf-address': 'tcp://x:1', 'gelf-tcp-reconnect-delay': '-1' }, '"gelf-tcp-reconnect-delay" must be a positive'],
  [
    { 'gelf-address': 'udp://x:1', 'gelf-compression-type': 'rar' },
    'unknown value "rar" for log opt "gelf-compression-type" for gelf log driver',
  ],
  [
    { 'gelf-address': 'udp://x:1', 'gelf-compression-level': '10' },
    'unknown value "10" for log opt "gelf-compression-level" for gelf log driver',
  ],
  [{ 'gelf-address': 'udp://x:1', 'gelf-tcp-max-reconnect': '1' }, '"gelf-tcp-max-reconnect" is only valid for TCP'],
])('the options %j are refused', (options, message) => {
  expect(() => driver.validate(options as Record<string, string>)).toThrow(message);
});

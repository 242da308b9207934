import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger, LogInfo } from '@gantry/sdk';
import { patientWriter, undeliveredBatches } from '@gantry/sdk/log-drivers';
import { decodeMulti, type ExtData, encode } from '@msgpack/msgpack';
import { makeFluentdDriver } from '../fluentd-driver';

const warnings: unknown[] = [];
const log: Logger = {
  debug() {},
  info() {},
  warn: (...said) => void warnings.push(said),
  error() {},
  child: () => log,
};
const driver = makeFluentdDriver(log);
const timeNs = 1_704_164_645_123_456_789n;

const info = (options: Record<string, string>): LogInfo => ({
  containerId: 'c'.repeat(64),
  containerName: 'web',
  imageId: `sha256:${'b'.repeat(64)}`,
  imageName: 'busybox',
  entrypoint: 'sh',
  args: [],
  createdAt: new Date(0),
  env: ['COLOUR=red'],
  labels: {},
  logPath: '',
  options: { tag: 'app.{{.Name}}', ...options },
});

const line = (text: string) => ({ source: 'stdout' as const, timeNs, data: Buffer.from(text) });

type Event = [tag: string, time: unknown, record: Record<string, string>, option: { chunk?: string }];

/** Takes events, and acknowledges those that ask for it unless `mute` is set. */
class Receiver {
  readonly events: Event[] = [];
  readonly sockets: Socket[] = [];
  mute = false;
  private readonly server: Server = createServer((socket) => {
    this.sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const value of decodeMulti(data)) {
        const event = value as Event;
        this.events.push(event);
        const { chunk } = event[3];
        if (chunk !== undefined && !this.mute) socket.write(encode({ ack: chunk }));
      }
    });
  });

  async listen(port = 0): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return (this.server.address() as AddressInfo).port;
  }

  async until(count: number): Promise<Event[]> {
    while (this.events.length < count) await pause(5);
    return this.events;
  }

  close(): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

/** The events that are complete; a connection may end in the middle of one. */
function wholeEvents(data: Buffer): Event[] {
  const events: Event[] = [];
  try {
    for (const event of decodeMulti(data)) events.push(event as Event);
  } catch {
    // The rest is on another connection.
  }
  return events;
}

let receiver: Receiver;
beforeEach(() => {
  receiver = new Receiver();
  warnings.length = 0;
});
afterEach(() => receiver.close());

test('each line is an event with dockerd’s record', async () => {
  const port = await receiver.listen();
  const writer = await driver.open(info({ 'fluentd-address': `127.0.0.1:${port}`, env: 'COLOUR' }));
  await writer.write(line('one\ntwo\n'));
  await writer.write({ ...line('piece'), partial: { id: 'x', ordinal: 1, last: false } });
  await writer.close();
  const record = { container_id: 'c'.repeat(64), container_name: '/web', COLOUR: 'red', source: 'stdout' };
  const partial = { partial_message: 'true', partial_id: 'x', partial_ordinal: '1', partial_last: 'false' };
  expect(await receiver.until(3)).toEqual([
    ['app.web', 1704164645, { ...record, log: 'one' }, {}],
    ['app.web', 1704164645, { ...record, log: 'two' }, {}],
    ['app.web', 1704164645, { ...record, log: 'piece', ...partial }, {}],
  ]);
});

test('times have nanoseconds when they are asked for', async () => {
  const port = await receiver.listen();
  const writer = await driver.open(
    info({ 'fluentd-address': `tcp://127.0.0.1:${port}`, 'fluentd-sub-second-precision': 'true' }),
  );
  await writer.write(line('x\n'));
  await writer.close();
  const [[, time]] = (await receiver.until(1)) as [Event];
  expect((time as ExtData).type).toBe(0);
  const data = Buffer.from((time as ExtData).data as Uint8Array);
  expect([data.readUInt32BE(0), data.readUInt32BE(4)]).toEqual([1704164645, 123456789]);
});

test('with acknowledgement a line counts as sent when it was acknowledged, and is sent again when it was not', async () => {
  const port = await receiver.listen();
  receiver.mute = true;
  const writer = await driver.open(
    info({ 'fluentd-address': `127.0.0.1:${port}`, 'fluentd-request-ack': 'true', 'fluentd-retry-wait': '20ms' }),
  );
  let sent = false;
  const writing = Promise.resolve(writer.write(line('x\n'))).then(() => {
    sent = true;
  });
  await receiver.until(1);
  expect(sent).toBe(false);
  receiver.mute = false;
  receiver.sockets[0]!.destroy();
  await writing;
  expect(receiver.events.map(([, , { log: text }]) => text)).toEqual(['x', 'x']);
  expect(receiver.events[0]![3].chunk).toBe(receiver.events[1]![3].chunk);
  await writer.close();
});

test('without fluentd a container does not start, unless it is to connect later', async () => {
  const port = await receiver.listen();
  receiver.close();
  await expect(
    driver.open(info({ 'fluentd-address': `127.0.0.1:${port}`, 'fluentd-max-retries': '0' })),
  ).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining(`tcp://127.0.0.1:${port} cannot be reached`),
  });
  const writer = await driver.open(
    info({ 'fluentd-address': `127.0.0.1:${port}`, 'fluentd-async': 'true', 'fluentd-retry-wait': '20ms' }),
  );
  expect(writer.asideBytes).toBe(1024 * 1024);
  const early = writer.write(line('early\n'));
  receiver = new Receiver();
  await receiver.listen(port);
  expect((await receiver.until(1))[0]![2].log).toBe('early');
  await early;
  await writer.close();
});

test('a fluentd that takes nothing for too long is connected to anew, and what waited for it is sent again', async () => {
  let connections = 0;
  const taken: Buffer[] = [];
  const server = createServer((socket) => {
    connections++;
    socket.on('error', () => undefined);
    // The first one never reads.
    if (connections === 1) socket.pause();
    else socket.on('data', (chunk) => taken.push(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const options = {
    'fluentd-address': `127.0.0.1:${port}`,
    'fluentd-write-timeout': '1s',
    'fluentd-retry-wait': '1ms',
  };
  const writer = patientWriter(await driver.open(info(options)));
  // More than the kernel keeps for a connection.
  const waiting = writer.write(line(`${'x'.repeat(12_000_000)}\n`));
  expect(waiting).toBeInstanceOf(Promise);
  await waiting;
  await writer.close();
  expect(connections).toBeGreaterThan(1);
  expect(Buffer.concat(taken).length).toBeGreaterThan(12_000_000);
  expect(warnings).toEqual([
    [expect.stringContaining('within fluentd-write-timeout'), { container: 'c'.repeat(64), timeoutMs: 1000 }],
  ]);
  server.close();
}, 30_000);

test('lines that do not fit into the time limit all together get through one by one, in order', async () => {
  const connections: Buffer[][] = [];
  const server = createServer((socket) => {
    const taken: Buffer[] = [];
    connections.push(taken);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      taken.push(chunk);
      // Far slower than the time limit asks for, if it were for all lines together.
      socket.pause();
      setTimeout(() => socket.resume(), 20).unref();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const options = { 'fluentd-address': `127.0.0.1:${port}`, 'fluentd-write-timeout': '1s' };
  const writer = patientWriter(await driver.open(info(options)));
  const filler = 'x'.repeat(100_000);
  await writer.write(line(Array.from({ length: 150 }, (_, index) => `${index} ${filler}\n`).join('')));
  await writer.close();
  const numbers = () =>
    connections.flatMap((taken) =>
      wholeEvents(Buffer.concat(taken)).map(([, , { log: text }]) => Number(text!.split(' ')[0])),
    );
  while (numbers().at(-1) !== 149) await pause(20);
  expect(numbers()).toEqual(Array.from({ length: 150 }, (_, index) => index));
  expect(connections.length).toBeLessThan(3);
  server.close();
}, 30_000);

test('what waits for an absent fluentd is given back', async () => {
  const port = await receiver.listen();
  receiver.close();
  const writer = await driver.open(info({ 'fluentd-address': `127.0.0.1:${port}`, 'fluentd-async': 'true' }));
  const written = Promise.resolve(writer.write(line('one\ntwo\n'))).catch(undeliveredBatches);
  while (!writer.isAway) await pause(5);
  expect(await writer.takeBack!()).toEqual([]);
  expect(await written).toEqual([line('one\ntwo\n')]);
  await writer.close();
});

test.each([
  [{ 'fluentd-address': 'http://x' }, "invalid fluentd-address (http://x): unsupported scheme: 'http'"],
  [{ 'fluentd-address': 'tcp://x/y' }, 'should not contain a path element'],
  [{ 'fluentd-address': 'unix://' }, 'path is empty'],
  [{ 'fluentd-async': 'true', 'fluentd-async-connect': 'true' }, 'conflicting options'],
  [{ 'fluentd-async-reconnect-interval': '1h' }, 'must be between 100ms and 10s'],
  [{ 'fluentd-retry-wait': 'soon' }, 'time: invalid duration "soon"'],
  [{ 'fluentd-max-retries': '-1' }, 'strconv.ParseUint: parsing "-1": invalid syntax'],
  [{ 'fluentd-buffer-limit': '-1' }, "invalid size: '-1'"],
  [{ 'fluentd-write-timeout': 'x' }, 'value must be a duration: time: invalid duration "x"'],
  [{ 'fluentd-write-timeout': '-1s' }, 'value must be a duration that is non-negative'],
  [{ 'fluentd-nope': '1' }, "unknown log opt 'fluentd-nope' for fluentd log driver"],
])('the options %j are refused', (options, message) => {
  expect(() => driver.validate(options as Record<string, string>)).toThrow(message);
});

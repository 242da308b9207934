import { createSocket, type Socket } from 'node:dgram';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite();
const docker = (...args: string[]) => daemon().cli.ok(...args);

let socket: Socket;
let received: string[];
beforeEach(async () => {
  received = [];
  socket = createSocket('udp4');
  socket.on('message', (message) => received.push(message.toString()));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
});
afterEach(() => socket.close());

test('the local driver keeps a log that docker logs reads, follows and cuts', async () => {
  const script = 'for i in 1 2 3 4 5; do echo line $i; done';
  await docker('run', '--name', 'kept', '--log-driver', 'local', 'busybox', 'sh', '-c', script);
  expect(await docker('logs', '-f', '--tail', '2', 'kept')).toBe('line 4\nline 5');
  expect(await docker('logs', 'kept')).toBe('line 1\nline 2\nline 3\nline 4\nline 5');
  expect(await docker('inspect', '-f', '{{.LogPath}}|{{.HostConfig.LogConfig.Type}}', 'kept')).toBe('|local');
  await docker('rm', 'kept');
});

test('lines go to a syslog server, and docker logs shows them all the same', async () => {
  const { port } = socket.address();
  const options = ['--log-driver', 'syslog', '--log-opt', `syslog-address=udp://127.0.0.1:${port}`];
  await docker('run', '--name', 'sent', ...options, '--log-opt', 'tag={{.Name}}', 'busybox', 'echo', 'hello');
  await eventually('the line', () => received.length > 0);
  expect(received).toEqual([expect.stringMatching(/^<30>.* sent\[\d+\]: hello\n$/)]);
  expect(await docker('logs', 'sent')).toBe('hello');
  await docker('rm', 'sent');
});

test('lines go to a gelf server with the container’s name', async () => {
  const { port } = socket.address();
  const options = ['--log-opt', `gelf-address=udp://127.0.0.1:${port}`, '--log-opt', 'gelf-compression-type=none'];
  await docker('run', '--name', 'greyed', '--log-driver', 'gelf', ...options, 'busybox', 'echo', 'hello');
  await eventually('the line', () => received.length > 0);
  expect(received.map((message) => JSON.parse(message))).toMatchObject([
    { short_message: 'hello', _container_name: 'greyed', _image_name: 'busybox' },
  ]);
  await docker('rm', 'greyed');
});

test('a back end that is not there keeps the container from starting, and leaves it created', async () => {
  const options = [
    '--log-driver',
    'fluentd',
    '--log-opt',
    'fluentd-address=127.0.0.1:1',
    '--log-opt',
    'fluentd-max-retries=0',
  ];
  const result = await daemon().cli.run(['run', '--name', 'lost', ...options, 'busybox', 'true']);
  expect(result.code).not.toBe(0);
  expect(result.stderr).toContain('failed to initialize logging driver: tcp://127.0.0.1:1 cannot be reached');
  expect(await docker('inspect', '-f', '{{.State.Status}}', 'lost')).toBe('created');
  await docker('rm', 'lost');
});

test.each([
  [['--log-driver', 'syslog', '--log-opt', 'syslog-facility=nope'], 'invalid syslog facility'],
  [['--log-driver', 'gelf'], 'gelf-address is a required parameter'],
  [['--log-driver', 'local', '--log-opt', 'colour=red'], "unknown log opt 'colour' for log driver local"],
])('docker create %j is refused and leaves nothing', async (options, message) => {
  const result = await daemon().cli.run(['create', '--name', 'odd', ...options, 'busybox']);
  expect(result.stderr).toContain(message);
  expect(await docker('ps', '-aq', '--filter', 'name=odd')).toBe('');
});

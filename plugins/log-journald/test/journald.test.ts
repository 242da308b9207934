import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { LogInfo } from '@gantry/sdk';
import { makeJournaldDriver } from '../journald-driver';

const timeNs = 1_704_164_645_123_456_789n;

const info = (options: Record<string, string>): LogInfo => ({
  containerId: 'c'.repeat(64),
  containerName: 'web',
  imageId: `sha256:${'b'.repeat(64)}`,
  imageName: 'busybox',
  entrypoint: 'sh',
  args: [],
  createdAt: new Date(0),
  env: [],
  labels: { 'com.acme/team': 'a\nb' },
  logPath: '',
  options,
});

/** Node has no datagram sockets in the file system: Python plays journald, and writes each datagram as hex. */
const server = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], 'w') as out:
    while True:
        out.write(s.recv(1 << 20).hex() + '\\n')
        out.flush()
`;

let folder: string;
let child: ReturnType<typeof spawn>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-journald-'));
  child = spawn('/usr/bin/python3', ['-c', server, join(folder, 'socket'), join(folder, 'got')], { stdio: 'inherit' });
  while ((await readFile(join(folder, 'got')).catch(() => undefined)) === undefined) await pause(5);
});
afterEach(async () => {
  child.kill();
  await rm(folder, { recursive: true, force: true });
});

async function entries(count: number): Promise<string[]> {
  for (;;) {
    const lines = (await readFile(join(folder, 'got'), 'utf8')).split('\n').slice(0, -1);
    if (lines.length >= count) return lines.map((line) => Buffer.from(line, 'hex').toString('latin1'));
    await pause(5);
  }
}

test('each line is an entry with dockerd’s fields; a value with line ends is told by its length', async () => {
  const driver = makeJournaldDriver(join(folder, 'socket'));
  const writer = await driver.open(info({ labels: 'com.acme/team', tag: '{{.Name}}' }));
  await writer.write({ source: 'stderr', timeNs, data: Buffer.from('one\ntwo\n') });
  await writer.write({
    source: 'stdout',
    timeNs,
    data: Buffer.alloc(16 * 1024, 'x'),
    partial: { id: 'p', ordinal: 1, last: false },
  });
  await writer.close();
  const [first, second, third] = await entries(3);
  expect(first).toBe(
    [
      'CONTAINER_ID=cccccccccccc',
      `CONTAINER_ID_FULL=${'c'.repeat(64)}`,
      'CONTAINER_NAME=web',
      'CONTAINER_TAG=web',
      'IMAGE_NAME=busybox',
      'SYSLOG_IDENTIFIER=web',
      'COM_ACME_TEAM\n\x03\0\0\0\0\0\0\0a\nb',
      'PRIORITY=3',
      'SYSLOG_TIMESTAMP=2024-01-02T03:04:05.123Z',
      'MESSAGE=one\n',
    ].join('\n'),
  );
  expect(second).toContain('MESSAGE=two\n');
  expect(third).toContain('PRIORITY=6\n');
  expect(third).toContain('CONTAINER_PARTIAL_MESSAGE=true\n');
  expect(third).toContain(`MESSAGE=${'x'.repeat(16 * 1024)}\n`);
});

test('a reader that is slow loses nothing, and gets everything in order', async () => {
  const writer = await makeJournaldDriver(join(folder, 'socket')).open(info({}));
  const lines = Array.from({ length: 3000 }, (_, i) => `line ${i}\n`);
  await writer.write({ source: 'stdout', timeNs, data: Buffer.from(lines.join('')) });
  await writer.close();
  const messages = (await entries(3000)).map((entry) => /MESSAGE=(.*\n)$/.exec(entry)![1]);
  expect(messages).toEqual(lines);
});

test('a host without journald is told so', async () => {
  await expect(makeJournaldDriver('/nowhere').open(info({}))).rejects.toThrow('journald is not enabled on this host');
  expect(() => makeJournaldDriver().validate({ nope: '1' })).toThrow("unknown log opt 'nope' for journald log driver");
});

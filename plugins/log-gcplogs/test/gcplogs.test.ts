import { createServer, type Server } from 'node:http';
import type { Logger, LogInfo } from '@gantry/sdk';
import { patientWriter } from '@gantry/sdk/log-drivers';
import { makeGcpLogsDriver } from '../gcplogs-driver';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

let google: Server;
let endpoint: string;
let calls: { path?: string; authorization?: string; body: { logName: string; entries: unknown[] } }[];
let statuses: number[];
beforeEach(async () => {
  calls = [];
  statuses = [];
  google = createServer((request, response) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      calls.push({ path: request.url, authorization: request.headers.authorization, body: JSON.parse(text) });
      response.writeHead(statuses.shift() ?? 200).end('{}');
    });
  });
  await new Promise<void>((resolve) => google.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(google.address() as { port: number }).port}`;
});
afterEach(() => {
  google.closeAllConnections();
  google.close();
});

const driver = (project?: string) =>
  makeGcpLogsDriver({ log: quiet, endpoint, access: async () => ({ project, token: async () => 'token' }) });
const info = (options: Record<string, string>) =>
  ({
    containerId: 'c'.repeat(64),
    containerName: 'web',
    imageName: 'busybox',
    imageId: 'sha256:1',
    entrypoint: 'sh',
    args: ['-c', 'true'],
    createdAt: new Date(0),
    labels: { tier: 'front' },
    env: [],
    options,
  }) as unknown as LogInfo;
const batch = { source: 'stdout', timeNs: 1_700_000_000_123_000_000n, data: Buffer.from('one\ntwo\n') } as const;

test('lines are entries of the project, with the container they come from', async () => {
  const options = { 'gcp-project': 'mine', 'gcp-log-cmd': 'true', labels: 'tier', 'gcp-meta-name': 'host1' };
  const writer = await driver().open(info(options));
  await writer.write(batch);
  await writer.close();
  expect(calls).toMatchObject([
    {
      path: '/v2/entries:write',
      authorization: 'Bearer token',
      body: { logName: 'projects/mine/logs/gcplogs-docker-driver', resource: { type: 'global' } },
    },
  ]);
  const container = { name: '/web', imageName: 'busybox', command: 'sh -c true', metadata: { tier: 'front' } };
  expect(calls[0]!.body.entries).toMatchObject([
    { timestamp: '2023-11-14T22:13:20.123Z', jsonPayload: { message: 'one', container, instance: { name: 'host1' } } },
    { jsonPayload: { message: 'two' } },
  ]);
});

test('the project of the credentials is the default; without any the container does not start', async () => {
  const writer = await driver('theirs').open(info({}));
  await writer.write(batch);
  await writer.close();
  expect(calls[0]!.body.logName).toBe('projects/theirs/logs/gcplogs-docker-driver');
  await expect(driver().open(info({}))).rejects.toThrow('no project was specified');
});

test('what Google could not take for a while is sent again', async () => {
  const writer = patientWriter(await driver('mine').open(info({})));
  statuses = [503, 401];
  await writer.write(batch);
  await writer.close();
  expect(calls).toHaveLength(3);
});

test('an option that is not known is refused', () => {
  expect(() => driver().validate({ colour: 'red' })).toThrow('"colour" is not a valid option for the gcplogs driver');
  expect(() => driver().validate({ 'gcp-log-cmd': 'perhaps' })).toThrow('ParseBool');
});

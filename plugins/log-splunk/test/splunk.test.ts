import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { gunzipSync } from 'node:zlib';
import type { LogBatch, Logger, LogInfo } from '@gantry/sdk';
import { patientWriter, undeliveredBatches } from '@gantry/sdk/log-drivers';
import { makeSplunkDriver } from '../splunk-driver';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

/** An HTTP event collector. */
let collector: Server;
let url: string;
let calls: { method: string; path: string; headers: IncomingHttpHeaders; body: Buffer }[];
let status: number;
beforeEach(async () => {
  calls = [];
  status = 200;
  collector = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      calls.push({ method, path, headers, body: Buffer.concat(parts) });
      response.writeHead(status).end('{"text":"told","code":0}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(collector.address() as { port: number }).port}`;
});
afterEach(() => {
  collector.closeAllConnections();
  collector.close();
});

const info = (options: Record<string, string> = {}) =>
  ({
    containerId: 'c'.repeat(64),
    containerName: 'web',
    imageName: 'busybox',
    labels: { tier: 'front' },
    env: [],
    options: { 'splunk-url': url, 'splunk-token': 'secret', ...options },
  }) as unknown as LogInfo;
const batch = (data: string, more: Partial<LogBatch> = {}): LogBatch => ({
  source: 'stdout',
  timeNs: 1_700_000_000_123_456_789n,
  data: Buffer.from(data),
  ...more,
});
const events = () =>
  calls
    .filter(({ method }) => method === 'POST')
    .flatMap(({ headers, body }) =>
      (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body)
        .toString()
        .split(/(?<=\})(?=\{"event")/)
        .map((text) => JSON.parse(text)),
    );

test('the collector is asked first, then each line is an event with its time', async () => {
  const writer = await makeSplunkDriver(quiet).open(info({ labels: 'tier', 'splunk-index': 'main' }));
  expect(calls).toMatchObject([{ method: 'OPTIONS', path: '/services/collector/event/1.0' }]);
  await writer.write(batch('one\n  \ntwo\n'));
  await writer.write(batch('three\n', { source: 'stderr' }));
  await writer.close();
  expect(calls.at(-1)!.headers.authorization).toBe('Splunk secret');
  expect(events()).toMatchObject([
    {
      event: { line: 'one', source: 'stdout', tag: 'cccccccccccc', attrs: { tier: 'front' } },
      time: '1700000000.123456',
      index: 'main',
    },
    { event: { line: 'two' } },
    { event: { line: 'three', source: 'stderr' } },
  ]);
});

test.each([
  [
    'json',
    { 'splunk-format': 'json', 'splunk-gzip': 'true' },
    { line: { a: 1 }, source: 'stdout', tag: 'cccccccccccc' },
  ],
  ['raw', { 'splunk-format': 'raw', tag: '{{.Name}}', labels: 'tier' }, 'web tier=front {"a":1}'],
])('the format %s', async (_, options, event) => {
  const writer = await makeSplunkDriver(quiet).open(info(options));
  await writer.write(batch('{"a":1}\n'));
  await writer.close();
  expect(events()).toMatchObject([{ event }]);
});

test('a collector that refuses the connection keeps the container from starting', async () => {
  status = 403;
  await expect(makeSplunkDriver(quiet).open(info())).rejects.toThrow('splunk: failed to verify connection - 403');
  await expect(makeSplunkDriver(quiet).open(info({ 'splunk-url': 'http://127.0.0.1:1' }))).rejects.toThrow(
    'http://127.0.0.1:1 cannot be reached',
  );
});

test('what a busy collector does not take is given back at once, and is sent when it is written again', async () => {
  const writer = await makeSplunkDriver(quiet).open(info());
  status = 503;
  const refused = [batch('one\n  \ntwo\n'), batch('three\n')].map((each) =>
    Promise.resolve(writer.write(each)).catch(undeliveredBatches),
  );
  const left = (await Promise.all(refused)).flat() as LogBatch[];
  expect(left.map(({ data }) => data.toString())).toEqual(['one\ntwo\n', 'three\n']);
  expect(writer.isAway).toBe(true);
  calls = [];
  const again = patientWriter(writer).write(batch('one\n'));
  while (calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  status = 200;
  await again;
  await writer.close();
  expect(events().at(-1)).toMatchObject({ event: { line: 'one' } });
});

test.each([
  [{ 'splunk-url': '' }, 'splunk: splunk-url is expected'],
  [{ 'splunk-url': 'ftp://x' }, 'splunk: expected format scheme://dns_name_or_ip:port for splunk-url'],
  [{ 'splunk-token': '' }, 'splunk: splunk-token is expected'],
  [{ 'splunk-format': 'xml' }, 'unknown format specified xml'],
  [{ 'splunk-gzip-level': '12' }, "not supported level '12' for splunk-gzip-level"],
  [{ colour: 'red' }, "unknown log opt 'colour' for splunk log driver"],
])('the options %j are refused', (options, message) => {
  expect(() => makeSplunkDriver(quiet).validate(info(options as Record<string, string>).options)).toThrow(message);
});

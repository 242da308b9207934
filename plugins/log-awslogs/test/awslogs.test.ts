import { createServer, type Server } from 'node:http';
import type { LogBatch, Logger, LogInfo } from '@gantry/sdk';
import { patientWriter } from '@gantry/sdk/log-drivers';
import { makeAwsLogsDriver } from '../awslogs-driver';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

interface Call {
  readonly action: string;
  readonly authorization: string;
  readonly body: { logEvents?: { timestamp: number; message: string }[]; logStreamName?: string };
}

/** CloudWatch Logs with groups and streams. */
let cloud: Server;
let endpoint: string;
let calls: Call[];
let groups: Set<string>;
let streams: Set<string>;
let refusals: string[];
const environment = { ...process.env };
beforeEach(async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret' });
  calls = [];
  groups = new Set(['group']);
  streams = new Set();
  refusals = [];
  cloud = createServer((request, response) => {
    let text = '';
    request.on('data', (part) => {
      text += part;
    });
    request.on('end', () => {
      const action = String(request.headers['x-amz-target']).split('.')[1]!;
      const body = JSON.parse(text);
      calls.push({ action, authorization: String(request.headers.authorization), body });
      const fault = refusals.shift() ?? judge(action, body);
      if (fault === undefined) response.end('{}');
      else response.writeHead(fault === 'Busy' ? 503 : 400).end(JSON.stringify({ __type: fault, message: 'told' }));
    });
  });
  await new Promise<void>((resolve) => cloud.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(cloud.address() as { port: number }).port}`;
});
afterEach(() => {
  process.env = { ...environment };
  cloud.closeAllConnections();
  cloud.close();
});

function judge(
  action: string,
  { logGroupName: group, logStreamName: stream }: Record<string, string>,
): string | undefined {
  if (action === 'CreateLogGroup') groups.add(group!);
  else if (!groups.has(group!)) return 'com.amazonaws.logs#ResourceNotFoundException';
  else if (action === 'CreateLogStream') {
    if (streams.has(stream!)) return 'ResourceAlreadyExistsException';
    streams.add(stream!);
  } else if (!streams.has(stream!)) return 'ResourceNotFoundException';
  return undefined;
}

const info = (options: Record<string, string> = {}) =>
  ({
    containerId: 'c'.repeat(64),
    containerName: 'web',
    imageName: 'busybox',
    labels: {},
    env: [],
    options: { 'awslogs-group': 'group', 'awslogs-region': 'eu-central-1', 'awslogs-endpoint': endpoint, ...options },
  }) as unknown as LogInfo;
const batch = (data: string, ms: number): LogBatch => ({
  source: 'stdout',
  timeNs: BigInt(ms) * 1_000_000n,
  data: Buffer.from(data),
});
const put = () => calls.filter(({ action }) => action === 'PutLogEvents').flatMap(({ body }) => body.logEvents!);

test('lines are events of the container’s stream, in the order of time, and calls are signed', async () => {
  const writer = await makeAwsLogsDriver(quiet).open(info());
  await Promise.all([writer.write(batch('two\n\n', 2)), writer.write(batch('one\n', 1))]);
  await writer.close();
  expect([...streams]).toEqual(['c'.repeat(64)]);
  expect(put()).toEqual([
    { timestamp: 1, message: 'one' },
    { timestamp: 2, message: 'two' },
  ]);
  expect(calls[0]!.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/logs\/aws4_request, SignedHeaders=.*, Signature=[0-9a-f]{64}$/,
  );
});

test('a missing group keeps the container from starting, unless it is to be made', async () => {
  await expect(makeAwsLogsDriver(quiet).open(info({ 'awslogs-group': 'new' }))).rejects.toThrow('ResourceNotFound');
  const options = { 'awslogs-group': 'new', 'awslogs-create-group': 'true', tag: 'a:{{.Name}}' };
  const writer = await makeAwsLogsDriver(quiet).open(info(options));
  await writer.write(batch('hello\n', 5));
  await writer.close();
  expect([...groups]).toContain('new');
  expect([...streams]).toEqual(['a_web']);
  // Again: it is there already.
  await (await makeAwsLogsDriver(quiet).open(info(options))).close();
});

test('what is throttled, or fails for a while, is sent again', async () => {
  const writer = patientWriter(await makeAwsLogsDriver(quiet).open(info()));
  refusals = ['ThrottlingException', 'Busy'];
  await writer.write(batch('one\n', 1));
  await writer.close();
  expect(put()).toHaveLength(3);
});

test.each([
  [{ 'awslogs-group': '' }, "must specify a value for log opt 'awslogs-group'"],
  [{ 'awslogs-create-group': 'perhaps' }, "must specify valid value for log opt 'awslogs-create-group'"],
  [{ 'awslogs-max-buffered-events': '0' }, "must specify a positive integer for log opt 'awslogs-max-buffered-events'"],
  [{ 'awslogs-format': 'xml' }, "unsupported log format 'xml'"],
  [{ 'awslogs-multiline-pattern': '^x' }, 'lines are not joined by this driver'],
  [{ 'awslogs-endpoint': 'nowhere' }, "log opt 'awslogs-endpoint' must be a URL"],
  [{ colour: 'red' }, "unknown log opt 'colour' for awslogs log driver"],
])('the options %j are refused', (options, message) => {
  expect(() => makeAwsLogsDriver(quiet).validate(info(options as Record<string, string>).options)).toThrow(message);
});

test('without a region the container is told what to set', async () => {
  delete process.env.AWS_REGION;
  delete process.env.AWS_DEFAULT_REGION;
  await expect(makeAwsLogsDriver(quiet).open(info({ 'awslogs-region': '' }))).rejects.toThrow('no region is known');
});

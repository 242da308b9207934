import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonForSuite, type TestDaemon } from '../support/daemon';
import { eventually } from '../support/eventually';
import { freePort } from '../support/registry';
import { makeTar } from '../support/tar';
import { TraceCollector } from '../support/trace-collector';

const collector = new TraceCollector();
const config: Record<string, unknown> = {};
const env: Record<string, string> = {};
let metricsPort: number;
const pluginCalls: { path: string; traceparent: string | undefined }[] = [];
let isFarMade = false;
/** A volume driver on a socket with one volume. */
const plugin = createServer((request, response) => {
  const path = request.url!;
  pluginCalls.push({ path, traceparent: request.headers.traceparent as string | undefined });
  request.resume();
  if (path === '/VolumeDriver.Create' || path === '/VolumeDriver.Remove') isFarMade = path.endsWith('Create');
  const Err = path === '/VolumeDriver.Get' && !isFarMade ? 'no such volume' : '';
  const Capabilities = { Scope: 'local' };
  response.end(
    JSON.stringify({ Implements: ['VolumeDriver'], Capabilities, Volume: { Name: 'far' }, Volumes: [], Err }),
  );
});
const pluginFolder = mkdtempSync(join(tmpdir(), 'gantry-traced-'));
beforeAll(async () => {
  const socket = join(pluginFolder, 'remote.sock');
  plugin.listen(socket);
  await once(plugin, 'listening');
  config.plugins = { remote: { socket } };
  metricsPort = await freePort();
  config['metrics-addr'] = `127.0.0.1:${metricsPort}`;
  Object.assign(env, {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await collector.listen()}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-team=blue',
    OTEL_RESOURCE_ATTRIBUTES: 'rack=7',
    OTEL_TRACES_SAMPLER: 'parentbased_always_off',
    OTEL_BSP_SCHEDULE_DELAY: '50',
  });
});
const daemon = daemonForSuite({
  get config() {
    return config;
  },
  env,
  tidy: (each: TestDaemon) => each.removeEverything(),
});

// After the daemon has gone, which asks the plugin about its volumes.
afterAll(() => {
  collector.close();
  plugin.close();
  rmSync(pluginFolder, { recursive: true, force: true });
});

const traceId = '0af7651916cd43dd8448eb211c80319c';
const traced = { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } };

async function metric(line: string): Promise<number | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const found = text.split('\n').find((each) => each.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
}

test('metrics tell what the daemon did by dockerd’s names, and what each plugin did', async () => {
  const { cli, api } = daemon();
  await cli.ok('run', '--rm', 'busybox', 'true');
  await cli.ok(
    'run',
    '-d',
    '--name',
    'kept',
    '--health-cmd',
    'false',
    '--health-interval',
    '100ms',
    'busybox',
    'sleep',
    '60',
  );
  await api.post('/volumes/create', { Name: 'metered', Driver: 'local' });
  await api.get('/no/such/page');
  expect(await metric('engine_daemon_container_states_containers{state="running"}')).toBe(1);
  expect(await metric('engine_daemon_container_actions_seconds_count{action="start"}')).toBe(2);
  expect(await metric('engine_daemon_container_actions_seconds_count{action="create"}')).toBe(2);
  expect(await metric('engine_daemon_network_actions_seconds_count{action="allocate"}')).toBe(2);
  expect(await metric('gantry_http_requests_seconds_count{method="POST",route="/volumes/create",code="201"}')).toBe(1);
  expect(await metric('gantry_plugin_calls_seconds_count{plugin="volume-local",method="volume-driver.create"}')).toBe(
    1,
  );
  expect(await metric('engine_daemon_events_total')).toBeGreaterThan(8);
  await eventually(
    'a failed health check',
    async () => (await metric('engine_daemon_health_checks_failed_total'))! > 0,
  );
  await cli.ok('rm', '-f', 'kept');
  expect(await metric('engine_daemon_container_states_containers{state="running"}')).toBe(0);
});

test('builds are counted, and those that fail by their reason', async () => {
  const failed = (reason: string) => metric(`builder_builds_failed_total{reason="${reason}"}`);
  expect(await failed('unknown_instruction_error')).toBe(0);
  const build = (dockerfile: string) =>
    daemon().api.request('POST', '/build', {
      body: makeTar([{ name: 'Dockerfile', data: dockerfile }]),
      headers: { 'Content-Type': 'application/x-tar' },
    });
  await build('FROM busybox\n');
  await build('FROM busybox\nRUM true\n');
  await build('FROM busybox\nRUN exit 3\n');
  await build('\n');
  expect(await metric('builder_builds_triggered_total')).toBe(4);
  expect(await failed('unknown_instruction_error')).toBe(1);
  expect(await failed('error_processing_commands_error')).toBe(1);
  expect(await failed('dockerfile_empty_error')).toBe(1);
});

test('a plugin on a socket can go on with the trace', async () => {
  await daemon().api.post('/volumes/create', { Name: 'far', Driver: 'remote' }, traced);
  expect((await daemon().api.delete('/volumes/far')).status).toBe(204);
  const created = pluginCalls.find(({ path }) => path === '/VolumeDriver.Create');
  expect(created?.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  expect(pluginCalls.find(({ path }) => path === '/Plugin.Activate')).toMatchObject({ traceparent: undefined });
});

test('a traced request and the plugin calls in it are spans of the client’s trace; others are not sampled', async () => {
  const { api } = daemon();
  const mount = { Type: 'volume', Source: 'traced', Target: '/data' };
  const answer = await api.post(
    '/v1.51/containers/create?name=traced',
    { Image: 'busybox', HostConfig: { Mounts: [mount] } },
    traced,
  );
  expect(answer.status).toBe(201);
  await api.get('/containers/none/json', traced);
  await api.delete('/containers/traced');
  await eventually('the spans', () => collector.named('GET /containers/{id}/json').length === 1);
  expect(new Set(collector.spans.map((span) => span.traceId))).toEqual(new Set([traceId]));
  const [server] = collector.named('POST /containers/create');
  expect(server).toMatchObject({ parentSpanId: 'b7ad6b7169203331', kind: 2 });
  expect(server!.attributes).toEqual(
    expect.arrayContaining([
      { key: 'http.route', value: { stringValue: '/containers/create' } },
      { key: 'http.response.status_code', value: { intValue: 201 } },
      { key: 'url.path', value: { stringValue: '/v1.51/containers/create' } },
    ]),
  );
  // The driver was called by the volumes plugin, which was called for the request.
  const byId = new Map(collector.spans.map((span) => [span.spanId, span]));
  const local = { key: 'gantry.plugin', value: { stringValue: 'volume-local' } };
  const driver = collector
    .named('volume-driver.create')
    .find(({ attributes }) => attributes.some(({ value }) => value.stringValue === local.value.stringValue));
  const manager = byId.get(driver!.parentSpanId!)!;
  expect(manager.name).toMatch(/^volumes\./);
  expect(manager.parentSpanId).toBe(server!.spanId);
  expect(collector.resources[0]).toMatchObject({ 'service.name': 'gantryd', rack: '7' });
  expect(collector.headers[0]).toMatchObject({ 'x-team': 'blue' });
});

import http from 'node:http';
import type { DaemonSettings, MetricsSource } from '@gantry/sdk';
import { recordingLogger } from '../../api/test/api-fixture';
import { EventLog } from '../../events/event-log';
import { EngineMetrics } from '../engine-metrics';
import { parseMetricsAddress } from '../metrics-address';
import { MetricsServer } from '../metrics-server';

const settings = { engineId: 'abc', storageDriver: 'overlay2' } as DaemonSettings;

function make(sources: Record<string, MetricsSource> = {}) {
  const log = recordingLogger();
  const events = new EventLog(log);
  const metrics = new EngineMetrics({
    events,
    sources: () => Object.entries(sources),
    settings,
    version: { version: '1.2.3', gitCommit: 'c0ffee', buildTime: '' },
    log,
  });
  return { metrics, events, log };
}

const lines = async (metrics: EngineMetrics, start: string) =>
  (await metrics.text()).split('\n').filter((line) => line.startsWith(start));

test('dockerd’s names are there before anything happened', async () => {
  const { metrics, events } = make();
  events.publish({ type: 'volume', action: 'create', actor: { id: 'v', attributes: {} } });
  events.listen();
  const text = await metrics.text();
  expect(text).toContain('engine_daemon_events_total 1\n');
  expect(text).toContain('engine_daemon_events_subscribers_total 1\n');
  expect(text).toMatch(/engine_daemon_engine_cpus_cpus [1-9]/);
  expect(text).toMatch(/engine_daemon_engine_memory_bytes \d{8}/);
  expect(text).toMatch(
    /engine_daemon_engine_info\{version="1.2.3",commit="c0ffee",architecture="\w+",graphdriver="overlay2",kernel="[^"]+",os="[^"]+",os_type="linux",daemon_id="abc"\} 1/,
  );
  for (const action of ['changes', 'commit', 'create', 'delete', 'start'])
    expect(text).toContain(`engine_daemon_container_actions_seconds_count{action="${action}"} 0`);
  for (const name of ['process_resident_memory_bytes', 'process_open_fds', 'nodejs_eventloop_lag_p99_seconds'])
    expect(text).toMatch(new RegExp(`^${name} `, 'm'));
});

test('requests are timed by route, and those that dockerd times under its names', async () => {
  const { metrics } = make();
  metrics.requestEnded({ method: 'POST', route: '/containers/{id}/start', status: 204, seconds: 0.2 });
  metrics.requestEnded({ method: 'POST', route: '/containers/{id}/start', status: 404, seconds: 0.2 });
  metrics.requestEnded({ method: 'BREW', route: undefined, status: 404, seconds: 0.001 });
  expect(await lines(metrics, 'engine_daemon_container_actions_seconds_count{action="start"}')).toEqual([
    'engine_daemon_container_actions_seconds_count{action="start"} 1',
  ]);
  expect(await lines(metrics, 'engine_daemon_container_actions_seconds_bucket{le="0.25",action="start"}')).toEqual([
    'engine_daemon_container_actions_seconds_bucket{le="0.25",action="start"} 1',
  ]);
  expect(await lines(metrics, 'gantry_http_requests_seconds_count')).toEqual([
    'gantry_http_requests_seconds_count{method="POST",route="/containers/{id}/start",code="204"} 1',
    'gantry_http_requests_seconds_count{method="POST",route="/containers/{id}/start",code="404"} 1',
    'gantry_http_requests_seconds_count{method="other",route="none",code="404"} 1',
  ]);
});

test('calls of plugins are timed and their failures counted', async () => {
  const { metrics } = make();
  metrics.watchCall('acme', 'volume-driver.create')!.ended();
  metrics.watchCall('acme', 'volume-driver.create')!.ended(new Error('no'));
  metrics.watchCall('networks', 'networks.openSandbox')!.ended();
  expect(await lines(metrics, 'gantry_plugin_call')).toEqual(
    expect.arrayContaining([
      'gantry_plugin_calls_seconds_count{plugin="acme",method="volume-driver.create"} 2',
      'gantry_plugin_call_errors_total{plugin="acme",method="volume-driver.create"} 1',
    ]),
  );
  expect(await metrics.text()).toContain('engine_daemon_network_actions_seconds_count{action="allocate"} 1');
});

test('plugins contribute families; one that fails or breaks the format is left out', async () => {
  const { metrics, log } = make({
    acme: {
      metrics: () => [
        {
          name: 'acme_mounts',
          help: 'Mounts',
          type: 'gauge',
          samples: [{ labels: { path: 'a"b\\c\nd' }, value: 2 }, { value: Number.POSITIVE_INFINITY }],
        },
      ],
    },
    broken: { metrics: () => Promise.reject(new Error('gone')) },
    odd: { metrics: () => [{ name: 'not a name', help: '', type: 'gauge', samples: [] }] },
  });
  const text = await metrics.text();
  expect(text).toContain(
    '# HELP acme_mounts Mounts\n# TYPE acme_mounts gauge\nacme_mounts{path="a\\"b\\\\c\\nd"} 2\nacme_mounts +Inf\n',
  );
  expect(text).not.toContain('not a name');
  expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
});

test('the server answers /metrics only, and says why it cannot listen', async () => {
  const { metrics, log } = make();
  const server = new MetricsServer(metrics, log);
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  try {
    const get = (path: string, method = 'GET') =>
      new Promise<{ status: number; type: string; body: string }>((resolve, reject) => {
        http
          .request({ port, host: '127.0.0.1', path, method, agent: false }, async (answer) => {
            let body = '';
            for await (const chunk of answer) body += chunk;
            resolve({ status: answer.statusCode!, type: answer.headers['content-type']!, body });
          })
          .on('error', reject)
          .end();
      });
    const page = await get('/metrics');
    expect(page).toMatchObject({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
    expect(page.body).toContain('engine_daemon_events_total');
    expect((await get('/containers/json')).status).toBe(404);
    expect((await get('/metrics', 'POST')).status).toBe(405);
    const second = new MetricsServer(metrics, log);
    await expect(second.listen({ host: '127.0.0.1', port })).rejects.toThrow(/metrics-addr.*EADDRINUSE/);
  } finally {
    server.close();
  }
});

test.each([
  ['127.0.0.1:9323', { host: '127.0.0.1', port: 9323 }],
  ['[::1]:9323', { host: '::1', port: 9323 }],
  ['localhost:9323', { host: 'localhost', port: 9323 }],
  [':9323', { host: '', port: 9323 }],
])('%s is an address', (text, address) => expect(parseMetricsAddress(text)).toEqual(address));

test.each(['9323', 'unix:///run/metrics.sock', 'tcp://127.0.0.1:9323', '127.0.0.1:99999', '::1:9323', '[nine]:9323'])(
  '%s is no address',
  (text) => expect(() => parseMetricsAddress(text)).toThrow(/9323|brackets/),
);

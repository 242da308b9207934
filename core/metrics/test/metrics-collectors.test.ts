import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { recordingLogger } from '../../api/test/api-fixture';
import { MetricsCollectors } from '../metrics-collectors';

let execRoot: string;
beforeEach(() => {
  execRoot = mkdtempSync(join(tmpdir(), 'gantry-metrics-'));
});
afterEach(() => rmSync(execRoot, { recursive: true, force: true }));

const read = () =>
  new Promise<string>((resolve, reject) => {
    const call = request(
      { socketPath: join(execRoot, 'metrics.sock'), path: '/metrics', agent: false },
      async (answer) => {
        let text = '';
        for await (const chunk of answer) text += chunk;
        resolve(text);
      },
    );
    call.on('error', reject);
    call.end();
  });
const metrics = { contentType: 'text/plain', text: async () => 'engine_test 1\n' };

test('collectors are told when the metrics can be read and when they go; one that fails is named', async () => {
  const log = recordingLogger();
  const seen: string[] = [];
  const good = {
    startMetrics: async () => void seen.push(await read()),
    stopMetrics: async () => void seen.push('stopped'),
  };
  const bad = { startMetrics: () => Promise.reject(new Error('no room')), stopMetrics: async () => {} };
  const it = new MetricsCollectors({
    collectors: () => [
      ['good', good],
      ['bad', bad],
    ],
    metrics,
    execRoot,
    log,
  });
  await it.start();
  expect(seen).toEqual(['engine_test 1\n']);
  expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
  await it.stop();
  expect(seen.at(-1)).toBe('stopped');
  await expect(read()).rejects.toThrow();
});

test('without metrics a collector is told about in the log, with what to do', async () => {
  const log = recordingLogger();
  const collector = { startMetrics: () => Promise.reject(new Error('never')), stopMetrics: async () => {} };
  await new MetricsCollectors({ collectors: () => [['idle', collector]], execRoot, log }).start();
  expect(JSON.stringify(log.lines)).toContain('metrics-addr');
});

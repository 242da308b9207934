import { readFileSync } from 'node:fs';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';
import { LineReceiver } from '../support/line-receiver';
import { freePort } from '../support/registry';

/** Lines of a hundred bytes. The long drill: GANTRY_LOG_LINES=1000000. */
const lines = Number(process.env.GANTRY_LOG_LINES ?? 150_000);
const isLong = process.env.GANTRY_LOG_LINES !== undefined;

let metricsPort: number;
const daemon = daemonForSuite({
  tidy: (each) => each.removeEverything(),
});
const docker = (...args: string[]) => daemon().cli.ok(...args);
const receiver = new LineReceiver();
let address: string;
beforeAll(async () => {
  address = await receiver.listen();
  metricsPort = await freePort();
  daemon().changeConfig({ 'metrics-addr': `127.0.0.1:${metricsPort}` });
  await daemon().stop();
  await daemon().start();
});
afterAll(() => receiver.close());

const print = (count: number) => `yes ${'x'.repeat(99)} | head -n ${count}; touch /done; sleep 600`;
const hasPrinted = async (name: string) => (await daemon().cli.run(['exec', name, 'test', '-e', '/done'])).code === 0;
const sinkOptions = () => ['--log-driver', 'syslog', '--log-opt', `syslog-address=${address}`];
const memoryMiB = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon().pid}/status`, 'utf8'))![1]) / 1024;

interface Stats {
  readonly log_stats: { readonly dropped_messages: number };
}
const droppedOf = async (name: string) =>
  (await daemon().api.get(`/containers/${name}/stats?stream=false&one-shot=true`)).json<Stats>().log_stats
    .dropped_messages;

test('blocking holds back the container with the slow sink and no other, and every line arrives', async () => {
  receiver.lines = 0;
  receiver.pause();
  const before = memoryMiB();
  await docker(
    'run',
    '-d',
    '--name',
    'held',
    '--log-opt',
    'cache-disabled=true',
    ...sinkOptions(),
    'busybox',
    'sh',
    '-c',
    print(lines),
  );
  await docker('run', '-d', '--name', 'free', 'busybox', 'sh', '-c', print(lines));
  await eventually('the other container to have printed', () => hasPrinted('free'), 30_000);
  await sleep(1000);
  expect(await hasPrinted('held')).toBe(false);
  const grown = memoryMiB() - before;
  expect(grown).toBeLessThan(80);
  receiver.resume();
  await eventually('the held container to have printed', () => hasPrinted('held'), 120_000);
  await eventually('all lines to arrive', () => receiver.lines === lines, 30_000);
  expect(await droppedOf('held')).toBe(0);
  if (isLong) console.log(`${lines} lines, all arrived; the daemon grew by ${grown.toFixed(1)} MiB while it was held`);
  await docker('rm', '-f', 'held', 'free');
}, 180_000);

test('non-blocking drops whole lines, and stats, metrics and an event tell how many', async () => {
  receiver.lines = 0;
  receiver.pause();
  const before = memoryMiB();
  const options = [
    '--log-opt',
    'cache-disabled=true',
    '--log-opt',
    'mode=non-blocking',
    '--log-opt',
    'max-buffer-size=64k',
  ];
  const since = Math.floor(Date.now() / 1000) - 1;
  await docker('run', '-d', '--name', 'hasty', ...options, ...sinkOptions(), 'busybox', 'sh', '-c', print(lines));
  await eventually('the container to have printed', () => hasPrinted('hasty'), 60_000);
  const grown = memoryMiB() - before;
  expect(grown).toBeLessThan(80);
  receiver.resume();
  await eventually(
    'every line to have arrived or been dropped',
    async () => receiver.lines + (await droppedOf('hasty')) === lines,
    30_000,
  );
  const dropped = await droppedOf('hasty');
  expect(dropped).toBeGreaterThan(0);
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  expect(metrics).toContain(`engine_log_messages_dropped_total{driver="syslog"} ${dropped}`);
  await docker('rm', '-f', 'hasty');
  const until = Math.ceil(Date.now() / 1000) + 1;
  const events = await docker(
    'events',
    '--since',
    `${since}`,
    '--until',
    `${until}`,
    '--filter',
    'event=log_drop',
    '--format',
    '{{json .}}',
  );
  const told = events.split('\n').map((line) => JSON.parse(line).Actor.Attributes);
  expect(told.at(-1)).toMatchObject({ dropped: String(dropped), driver: 'syslog', name: 'hasty', image: 'busybox' });
  if (isLong)
    console.log(
      `${lines} lines: ${receiver.lines} arrived, ${dropped} dropped; the daemon grew by ${grown.toFixed(1)} MiB`,
    );
}, 120_000);

test('a container whose sink takes nothing is killed and removed soon, and what it had printed arrives later', async () => {
  receiver.lines = 0;
  receiver.pause();
  const script = `line=${'x'.repeat(1000)}; i=0; while echo $line; do i=$((i + 1)); echo $i > /printed; done`;
  const options = ['--log-opt', 'cache-disabled=true', ...sinkOptions()];
  for (const name of ['stuck', 'unwanted'])
    await docker('run', '-d', '--name', name, ...options, 'busybox', 'sh', '-c', script);
  const printed = async () => Number(await docker('exec', 'stuck', 'cat', '/printed'));
  let before = 0;
  await eventually('it to be held back', async () => {
    const now = await printed();
    const stands = now > 0 && now === before;
    before = now;
    await sleep(300);
    return stands;
  });
  for (const args of [
    ['kill', 'stuck'],
    ['rm', '-f', 'unwanted'],
  ]) {
    const startedAt = Date.now();
    await docker(...args);
    expect(Date.now() - startedAt).toBeLessThan(7000);
  }
  const { State } = (await daemon().api.get('/containers/stuck/json')).json();
  expect(State).toMatchObject({ Status: 'exited', ExitCode: 137 });
  // The other one's share arrives in part: it was removed.
  const atLeast = Number((await docker('cp', 'stuck:/printed', '-')).match(/^\d+$/m)?.[0] ?? before);
  receiver.resume();
  await eventually('all it had printed to arrive', () => receiver.lines >= atLeast, 30_000);
  await docker('rm', 'stuck');
}, 120_000);

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connectNetworkDriver } from '@gantry/sdk/client';
import { connectJudgedPlugin, declareTests, networkDriverSuite } from '@gantry/sdk/conformance';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const folder = mkdtempSync(join(tmpdir(), 'gantry-lane-'));
const socketPath = join(folder, 'lane.sock');
const programPath = resolve(__dirname, '../../examples/network-over-socket/dist/main.js');
let program: ChildProcess;

async function start(): Promise<void> {
  program = spawn(process.execPath, [programPath, '--socket', socketPath], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(program.stdout!, 'data');
}

async function end(): Promise<void> {
  if (program.exitCode !== null || program.signalCode !== null) return;
  program.kill('SIGKILL');
  await once(program, 'exit');
}

beforeAll(start);
afterAll(async () => {
  await end();
  rmSync(folder, { recursive: true, force: true });
});

const daemon = daemonForSuite({
  config: { plugins: { lane: { socket: socketPath } } },
  tidy: (each) => each.removeEverything(),
});
const docker = (...args: string[]) => daemon().cli.ok(...args);
const lanes = () => execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' }).match(/^(lane-|lnh|lnc)\S+/gm) ?? [];

describe('the example driver', () => {
  const client = connectJudgedPlugin({ name: 'lane', address: `unix://${socketPath}` });
  const subject = () => ({
    driver: connectNetworkDriver(client),
    client,
    refusedOptions: { mtu: 'many' },
    tellsKinds: true,
  });
  declareTests(test, networkDriverSuite, subject, () => {});
});

test('containers on the network of a plugin reach each other, by name and after both sides were killed', async () => {
  const before = lanes();
  const pool = ['--subnet', '10.213.92.0/24', '--gateway', '10.213.92.1'];
  await docker('network', 'create', '-d', 'lane', ...pool, '-o', 'mtu=1400', 'fast');
  const script = 'mkdir /w && hostname >/w/index.html && exec httpd -f -h /w';
  await docker(
    'run',
    '-d',
    '--name',
    'racer',
    '--hostname',
    'racer',
    '--network',
    'fast',
    'busybox',
    'sh',
    '-c',
    script,
  );
  await docker('run', '-d', '--name', 'rival', '--network', 'fast', 'busybox', 'sleep', '600');
  const reach = () => docker('exec', 'rival', 'timeout', '3', 'wget', '-qO-', 'http://racer/');
  expect(await eventually('the sibling', reach)).toBe('racer');
  expect(await docker('exec', 'rival', 'ip', '-o', 'addr')).toMatch(/lane0 .*10\.213\.92\.3\/24/);
  expect(await docker('exec', 'rival', 'ip', 'route')).toContain('default via 10.213.92.1 dev lane0');
  await daemon().kill();
  await end();
  await start();
  await daemon().start();
  expect(await eventually('the sibling after the kills', reach)).toBe('racer');
  await docker('network', 'disconnect', 'fast', 'rival');
  expect(await docker('exec', 'rival', 'ip', '-o', 'link')).not.toContain('lane0');
  await docker('network', 'connect', 'fast', 'rival');
  expect(await eventually('the sibling after a reconnect', reach)).toBe('racer');
  await docker('rm', '-f', 'racer', 'rival');
  await docker('network', 'rm', 'fast');
  expect(lanes()).toEqual(before);
});

test('what the plugin refuses is the answer of the daemon, and leaves no network', async () => {
  const { code, stderr } = await daemon().cli.run(['network', 'create', '-d', 'lane', '-o', 'mtu=many', 'bad']);
  expect([code, stderr]).toEqual([1, expect.stringContaining('remote: invalid mtu "many"')]);
  expect(await docker('network', 'ls', '-q', '--filter', 'name=bad')).toBe('');
});

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connectIpamDriver } from '@gantry/sdk/client';
import { connectJudgedPlugin, declareTests, ipamDriverSuite } from '@gantry/sdk/conformance';
import { daemonForSuite } from '../support/daemon';

const folder = mkdtempSync(join(tmpdir(), 'gantry-ledger-'));
const socketPath = join(folder, 'ledger.sock');
const file = join(folder, 'ledger.json');
const programPath = resolve(__dirname, '../../examples/ipam-over-socket/dist/main.js');
const args = ['--socket', socketPath, '--file', file, '--base', '10.213.96.0/20'];
let program: ChildProcess;

async function start(): Promise<void> {
  program = spawn(process.execPath, [programPath, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
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
  config: { plugins: { ledger: { socket: socketPath } } },
  tidy: (each) => each.removeEverything(),
});
const docker = (...words: string[]) => daemon().cli.ok(...words);

describe('the example driver', () => {
  const client = connectJudgedPlugin({ name: 'ledger', address: `unix://${socketPath}` });
  const subject = () => ({ driver: connectIpamDriver(client), client, withoutIPv6: true });
  declareTests(test, ipamDriverSuite, subject, () => {});
});

test('a network has its addresses from the plugin, also after both sides were killed, and gives all of them back', async () => {
  const before = readFileSync(file, 'utf8');
  await docker('network', 'create', '--ipam-driver', 'ledger', 'counted');
  const [info] = JSON.parse(await docker('network', 'inspect', 'counted'));
  expect(info.IPAM).toMatchObject({
    Driver: 'ledger',
    Config: [{ Subnet: expect.stringMatching(/^10\.213\.\d+\.0\/24$/) }],
  });
  await docker('run', '-d', '--name', 'first', '--network', 'counted', 'busybox', 'sleep', '600');
  const address = (name: string) => docker('inspect', '-f', '{{.NetworkSettings.Networks.counted.IPAddress}}', name);
  const mine = await address('first');
  await daemon().kill();
  await end();
  await start();
  await daemon().start();
  await docker('run', '-d', '--name', 'second', '--network', 'counted', 'busybox', 'sleep', '600');
  expect(await address('first')).toBe(mine);
  expect(await address('second')).not.toBe(mine);
  expect(await docker('exec', 'second', 'ping', '-c', '1', '-W', '2', mine)).toContain('1 packets received');
  await docker('rm', '-f', 'first', 'second');
  await docker('network', 'rm', 'counted');
  expect(readFileSync(file, 'utf8')).toBe(before);
});

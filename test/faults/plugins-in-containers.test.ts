import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually, sleep } from '../support/eventually';

/** How often the daemon is killed. The long drill is GANTRY_PLUGIN_KILLS=50. */
const kills = Number(process.env.GANTRY_PLUGIN_KILLS ?? 2);
jest.setTimeout(120_000 + kills * 60_000);

const root = resolve(__dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'gantry-inside-'));
const socketOf = (name: string) => join(folder, `${name}.sock`);
const main = (example: string) => join(root, 'examples', example, 'dist/main.js');
const programs = {
  shelf: [main('volume-over-socket'), '--socket', socketOf('shelf'), '--root', join(folder, 'shelves')],
  lane: [main('network-over-socket'), '--socket', socketOf('lane')],
  diary: [main('log-over-socket'), '--socket', socketOf('diary'), '--root', join(folder, 'diaries')],
};
const names = Object.keys(programs) as (keyof typeof programs)[];
for (const sub of ['shelves', 'diaries']) mkdirSync(join(folder, sub));

const daemon = daemonForSuite({
  config: { plugins: Object.fromEntries(names.map((name) => [name, { socket: socketOf(name), optional: true }])) },
  tidy: async (each) => {
    if (!each.runs) await each.start();
  },
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const docker = (...words: string[]) => daemon().cli.ok(...words);
const shown = (name: string, format: string) => docker('inspect', '-f', format, name);
const pidOf = async (name: string) => Number(await shown(name, '{{.State.Pid}}'));

/** A plugin's program of the host in a container that sees the host's files. */
async function runPlugin(name: keyof typeof programs): Promise<void> {
  const sees = ['--privileged', '--network', 'host', '--pid', 'host', '-v', '/:/host:rslave'];
  await docker(
    ...['run', '-d', '--restart', 'unless-stopped', '--name', name, ...sees],
    ...['busybox', 'chroot', '/host', process.execPath, ...programs[name]],
  );
}
const known = async (name: string) =>
  (await docker('info', '-f', '{{json .Plugins}}')).includes(`"${name}"`) || undefined;

/** The user's container writes into its volume, prints, and has the interface of its network. */
async function works(): Promise<boolean> {
  expect(await shown('user', '{{.State.Status}}')).toBe('running');
  const ticks = () => readFileSync(join(folder, 'shelves/shelves/books/ticks'), 'utf8').length;
  const before = ticks();
  expect(await docker('exec', 'user', 'ip', '-o', 'addr')).toMatch(/lane0 .*10\.213\.93\.\d+\/24/);
  await eventually('the volume to grow', () => ticks() > before, 3000);
  const last = (await docker('logs', '-n', '1', 'user')).trim();
  await eventually('the log to grow', async () => (await docker('logs', '-n', '1', 'user')).trim() !== last, 3000);
  return true;
}

function killProcesses(pids: readonly number[]): void {
  for (const pid of pids)
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
}

test(`with its volume, network and log plugins in containers, the daemon converges after each of ${kills} kills`, async () => {
  for (const name of names) await runPlugin(name);
  for (const name of names) await eventually(`the plugin ${name}`, () => known(name), 20_000);
  await docker('volume', 'create', '-d', 'shelf', 'books');
  await docker('network', 'create', '-d', 'lane', '--subnet', '10.213.93.0/24', '--gateway', '10.213.93.1', 'fast');
  const script = 'n=0; while :; do n=$((n+1)); echo line $n; printf . >>/books/ticks; sleep 0.2; done';
  const uses = ['-v', 'books:/books', '--network', 'fast', '--log-driver', 'diary'];
  await docker('run', '-d', '--restart', 'always', '--name', 'user', ...uses, 'busybox', 'sh', '-c', script);
  await eventually('the user', works, 40_000);

  let slowestListMs = 0;
  let slowestMs = 0;
  for (let n = 1; n <= kills; n++) {
    await sleep((n * 137) % 700);
    // As when a machine goes down, or only the daemon and its plugins, or the daemon alone.
    const also = n % 3 === 0 ? [] : n % 3 === 1 ? [...names, 'user'] : names;
    const pids = await Promise.all(also.map(pidOf));
    await daemon().kill();
    killProcesses(pids);
    const startedAt = Date.now();
    await daemon().start();
    const list = async () => {
      const askedAt = Date.now();
      expect(await docker('ps', '-a', '--format', '{{.Names}}')).toContain('user');
      slowestListMs = Math.max(slowestListMs, Date.now() - askedAt);
    };
    await list();
    await eventually(
      `everything to run after kill ${n}`,
      async () => {
        await list();
        return works();
      },
      60_000,
    );
    slowestMs = Math.max(slowestMs, Date.now() - startedAt);
  }
  process.stdout.write(`${kills} kills: slowest docker ps ${slowestListMs} ms, slowest recovery ${slowestMs} ms\n`);
  // A list waits for the daemon's own plugins, which start as fast as the machine lets them.
  const bootsMs = [...daemon().log.matchAll(/bootMs=(\d+)/g)].map(([, ms]) => Number(ms));
  expect(slowestListMs).toBeLessThan(10_000 + Math.max(...bootsMs));
});

test('containers wait for their plugins with a reason, are told of a cycle, and start when the plugins come', async () => {
  await docker('volume', 'create', '-d', 'shelf', 'own');
  const brings = ['-v', `${folder}:${folder}`, '-v', 'own:/own'];
  await docker('run', '-d', '--restart', 'always', '--name', 'selfish', ...brings, 'busybox', 'sleep', '1000');
  const network = (await docker('network', 'inspect', '-f', '{{.Id}}', 'fast')).slice(0, 8);
  const pids = await Promise.all(['user', 'selfish'].map(pidOf));
  await docker('rm', '-f', ...names);
  await daemon().kill();
  killProcesses(pids);
  await daemon().start();
  expect(await docker('ps', '-a', '--format', '{{.Names}}')).toContain('user');
  const cycle =
    /^restarting waits for plugin "\w+" in a cycle that cannot end: .*container selfish needs plugin "shelf"/;
  for (const name of ['selfish', 'user'])
    await eventually(
      `the reason of ${name}`,
      async () => {
        const state = await shown(name, '{{.State.Status}} {{.State.Error}}');
        return cycle.test(state) || Promise.reject(new Error(state));
      },
      40_000,
    );
  for (const name of names) await runPlugin(name);
  await eventually('the user to work again', works, 20_000);
  await eventually('the other one', async () => (await shown('selfish', '{{.State.Status}}')) === 'running');
  expect(await shown('user', '{{.State.Error}}')).toBe('');

  await docker('rm', '-f', 'user', 'selfish');
  await docker('network', 'rm', 'fast');
  await eventually('the volumes to be free', () => docker('volume', 'rm', '-f', 'own', 'books'), 10_000);
  expect(readdirSync(join(folder, 'shelves/shelves'))).toEqual([]);
  expect(execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' })).not.toContain(`lane-${network}`);
});

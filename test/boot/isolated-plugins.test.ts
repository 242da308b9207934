import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const root = resolve(__dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'gantry-isolated-'));
const socketPath = join(folder, 'hang.sock');
writeFileSync(
  join(folder, 'ledge.js'),
  `const { definePlugin, object, optional, string, VolumeDriver1 } = require(${JSON.stringify(join(root, 'sdk'))});
const { referenceVolumeDriver } = require(${JSON.stringify(join(root, 'sdk/dist/conformance'))});
exports.plugin = definePlugin({
  name: 'ledge', version: '2.0.0', engine: '^0.1.0', provides: { ledge: VolumeDriver1 },
  config: object({ root: optional(string()) }),
  async start({ config, log }) {
    const driver = referenceVolumeDriver(config.root);
    log.info('the ledge is ready', { pid: process.pid });
    console.log('a word on standard output');
    return { ledge: { ...driver, create: async (name, options) => {
      if (name === 'die') process.exit(7);
      await driver.create(name, options);
    } } };
  },
});
`,
);
mkdirSync(join(folder, 'ledges'));

let hanging: Server | undefined;
let mute = false;
beforeAll(async () => {
  hanging = createServer((request, response) => {
    if (mute) return;
    response.end(request.url === '/Plugin.Activate' ? '{"Implements":["VolumeDriver"]}' : '{"Volumes":[]}');
  });
  await new Promise<void>((listening) => hanging!.listen(socketPath, listening));
});
afterAll(() => {
  hanging?.closeAllConnections();
  hanging?.close();
  rmSync(folder, { recursive: true, force: true });
});

const daemon = daemonForSuite({
  busybox: false,
  config: {
    plugins: {
      ledge: {
        module: join(folder, 'ledge.js'),
        isolation: 'process',
        config: { root: join(folder, 'ledges') },
        limits: { memory: '300m', pids: 60 },
      },
      hang: { socket: socketPath },
      gone: { socket: join(folder, 'gone.sock'), optional: true },
    },
  },
});

interface State {
  name: string;
  door: string;
  state: string;
  calls: number;
  restarts: number;
  lastError?: string;
}
function states(): Record<string, State> {
  const words = ['plugins', '--json', `--config-file=${daemon().configPath}`, `--exec-root=${daemon().execRoot}`];
  let text: string;
  try {
    text = execFileSync(process.execPath, [join(root, 'core/bin/gantryd.js'), ...words], { encoding: 'utf8' });
  } catch (error) {
    text = (error as { stdout: string }).stdout;
  }
  return Object.fromEntries((JSON.parse(text) as State[]).map((it) => [it.name, it]));
}

const pidOfLedge = () => Number([...daemon().log.matchAll(/the ledge is ready.*pid=(\d+)/g)].at(-1)![1]);

test('an isolated plugin is one of the drivers, and its words are in the log under its name', async () => {
  expect(await daemon().cli.ok('info', '--format', '{{json .Plugins.Volume}}')).toContain('"ledge"');
  expect(await daemon().cli.ok('volume', 'create', '-d', 'ledge', 'books')).toBe('books');
  expect(existsSync(join(folder, 'ledges/books'))).toBe(true);
  const refused = await daemon().cli.run(['volume', 'create', '-d', 'ledge', '-o', 'colour=red', 'x']);
  expect(refused.stderr).toContain('invalid option: "colour"');
  expect(daemon().log).toMatch(/msg="the ledge is ready" plugin=ledge/);
  expect(daemon().log).toMatch(/msg="a word on standard output" plugin=ledge/);
});

test('it is limited as it was configured', () => {
  const group = (controller: string, file: string) => {
    const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
    const groups = join('/sys/fs/cgroup', unified ? '' : controller, 'gantry-plugins');
    const mine = readdirSync(groups)
      .filter((name) => name.startsWith('ledge-'))
      .find((name) => readFileSync(join(groups, name, 'cgroup.procs'), 'utf8').trim() === String(pidOfLedge()));
    return readFileSync(join(groups, mine!, file), 'utf8').trim();
  };
  expect(group('pids', 'pids.max')).toBe('60');
  expect(
    Number(group('memory', existsSync('/sys/fs/cgroup/cgroup.controllers') ? 'memory.max' : 'memory.limit_in_bytes')),
  ).toBe(300 * 1024 * 1024);
});

test('one that dies in the middle of a call costs that call, and is back for the next one', async () => {
  const died = await daemon().cli.run(['volume', 'create', '-d', 'ledge', 'die']);
  expect(died.stderr).toMatch(/VolumeDriver\.Create: plugin "ledge".*socket hang up/);
  expect(await daemon().cli.ok('volume', 'create', '-d', 'ledge', 'after')).toBe('after');
  await eventually('the restart to be shown', () => states().ledge!.restarts === 1);
  expect(states()).toMatchObject({
    ledge: { door: 'isolated', state: 'running' },
    'volume-local': { door: 'in process', state: 'running' },
    hang: { door: 'socket', state: 'running' },
    gone: { door: 'socket', state: 'not answering' },
  });
});

test('a plugin that hangs slows nobody, is shown, and is used again when it answers', async () => {
  mute = true;
  const asked = Array.from({ length: 6 }, () => daemon().api.get('/volumes', { timeoutMs: 30_000 }));
  const startedAt = Date.now();
  for (let count = 0; count < 100; count++) expect((await daemon().api.get('/_ping')).status).toBe(200);
  expect((await daemon().api.get('/networks')).status).toBe(200);
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  for (const answer of await Promise.all(asked)) expect(answer.status).toBe(200);
  await eventually('the silence to be noticed', () => states().hang!.state === 'not answering', 30_000);
  const info = (await daemon().api.get('/info')).json<{ Warnings: string[] }>();
  expect(info.Warnings).toContainEqual(expect.stringMatching(/plugin "hang" does not answer/));
  mute = false;
  hanging!.closeAllConnections();
  const backAt = Date.now();
  await eventually('it to be used again', () => states().hang!.state === 'running', 15_000);
  expect(Date.now() - backAt).toBeLessThan(10_000);
});

test('the process of an isolated plugin ends with the daemon, whatever ends the daemon', async () => {
  const pid = pidOfLedge();
  await daemon().kill();
  await eventually('the plugin to end', () => !existsSync(`/proc/${pid}`));
  await daemon().start();
  await eventually(
    'the daemon to be complete',
    async () => (await daemon().api.get('/containers/json')).status === 200,
  );
});

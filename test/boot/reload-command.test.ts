import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite, testRuntime } from '../support/daemon';
import { eventually } from '../support/eventually';
import { runGantryd } from '../support/gantryd-command';

const daemon = daemonForSuite();
let first: Record<string, unknown>;

beforeAll(() => {
  first = JSON.parse(readFileSync(daemon().configPath, 'utf8')) as Record<string, unknown>;
});

const reload = (...args: string[]) =>
  runGantryd('reload', '--config-file', daemon().configPath, '--pidfile', join(daemon().folder, 'pid'), ...args);
const reloadWith = (config: object) => {
  daemon().writeConfig({ ...first, ...config });
  return reload();
};
const info = async () => (await daemon().api.get('/info')).json<Record<string, any>>();

test('what can change live is in force when the command returns; the rest is named', async () => {
  const answer = await reloadWith({
    labels: ['rack=7'],
    mtu: 1400,
    'registry-mirrors': ['http://mirror.example:5000'],
    'insecure-registries': ['plain.example:5000'],
    'live-restore': true,
    runtimes: { second: { path: 'runc' } },
    'default-runtime': 'second',
    'default-ulimits': { nofile: { Name: 'nofile', Soft: 1234, Hard: 2345 } },
    'default-shm-size': '32m',
  });
  expect(answer).toEqual({
    code: 0,
    complaints: '',
    out: expect.stringMatching(/^changed: .*labels.*\nneeds a restart of the daemon: mtu\n$/),
  });
  const now = await info();
  expect(now).toMatchObject({ Labels: ['rack=7'], LiveRestoreEnabled: true, DefaultRuntime: 'second' });
  expect(now.RegistryConfig).toMatchObject({
    Mirrors: ['http://mirror.example:5000/'],
    IndexConfigs: { 'plain.example:5000': { Secure: false } },
  });
  expect(Object.keys(now.Runtimes)).toContain('second');
  const run = await daemon().cli.run(['run', '--rm', 'busybox', 'sh', '-c', 'ulimit -n; df -k /dev/shm | tail -1']);
  expect(run).toMatchObject({ code: 0, stdout: expect.stringMatching(/^1234\n.* 32768 /) });
});

test('the event carries the values in force', async () => {
  const sinceS = Math.floor(Date.now() / 1000) - 1;
  await reloadWith({ 'max-concurrent-downloads': 7, runtimes: { third: { path: '/usr/sbin/runc' } } });
  const path = `/events?since=${sinceS}&until=${Math.ceil(Date.now() / 1000) + 1}&filters={"event":["reload"]}`;
  const events = (await daemon().api.get(path)).text.trim().split('\n');
  expect(JSON.parse(events.at(-1)!)).toMatchObject({
    Type: 'daemon',
    Action: 'reload',
    Actor: {
      Attributes: {
        'max-concurrent-downloads': '7',
        'default-runtime': testRuntime,
        runtimes: 'third:/usr/sbin/runc',
        labels: '[]',
        'shutdown-timeout': '15',
        features: expect.stringMatching(/^map\[/),
      },
    },
  });
});

test('a runtime that has left the configuration is gone for new containers; its running ones go on', async () => {
  await reloadWith({ runtimes: { passing: { path: 'runc' } } });
  const { cli } = daemon();
  expect(
    await cli.run(['run', '-d', '--name', 'stays', '--runtime', 'passing', 'busybox', 'sleep', '600']),
  ).toMatchObject({
    code: 0,
  });
  await reloadWith({});
  expect(await cli.run(['exec', 'stays', 'echo', 'alive'])).toMatchObject({ stdout: 'alive\n' });
  const refused = await cli.run(['run', '--rm', '--runtime', 'passing', 'busybox', 'true']);
  expect(refused.stderr).toContain('passing');
  expect(refused.code).toBe(125);
  expect(await cli.run(['rm', '-f', 'stays'])).toMatchObject({ code: 0 });
});

test.each([
  ['a misspelt key', { lables: ['a=b'] }, 'did you mean "labels"?'],
  ['a runtime nobody has', { 'default-runtime': 'nix' }, "specified default runtime 'nix' does not exist"],
  ['an option the log driver does not know', { 'log-opts': { 'max-sice': '1m' } }, "unknown log opt 'max-sice'"],
  ['an authorization plugin that is not there', { 'authorization-plugins': ['nobody'] }, 'nobody'],
  ['a mistake in the section of a plugin', { plugins: { 'volume-local': { config: { rot: '/x' } } } }, '"root"?'],
])('%s changes nothing, and the command says why', async (_, config, reason) => {
  await reloadWith({ labels: ['kept=1'] });
  const answer = await reloadWith({ labels: ['other=2'], ...config });
  expect(answer).toMatchObject({ code: 1, out: '', complaints: expect.stringContaining(reason) });
  expect(answer.complaints).toContain('nothing has changed');
  expect((await info()).Labels).toEqual(['kept=1']);
});

test('a file that cannot be parsed is told by the daemon, found without it', async () => {
  writeFileSync(daemon().configPath, '{"labels": [}');
  expect(await reload()).toMatchObject({ code: 1, complaints: expect.stringMatching(/daemon\.json:1:13/) });
  daemon().writeConfig(first);
  const byRoot = await runGantryd('reload', '--pidfile=', '--data-root', daemon().dataRoot);
  expect(byRoot).toMatchObject({ code: 0, complaints: '' });
});

test('without a daemon, and with flags of the daemon, the command says what to do', async () => {
  const folder = daemon().folder;
  const nobody = await runGantryd('reload', '--pidfile', join(folder, 'none'), '--data-root', join(folder, 'none'));
  expect(nobody).toMatchObject({ code: 1, complaints: expect.stringContaining('no running daemon found') });
  expect(await runGantryd('reload', '-H', 'unix:///x')).toMatchObject({
    code: 125,
    complaints: expect.stringContaining("See 'gantryd reload --help'"),
  });
  expect(await runGantryd('reload', '--help')).toMatchObject({ code: 0, out: expect.stringContaining('Usage:') });
});

test('a burst of signals ends with the last file in force', async () => {
  for (let i = 0; i < 10; i++) {
    daemon().writeConfig({ ...first, labels: [`burst=${i}`] });
    process.kill(daemon().pid, 'SIGHUP');
  }
  await eventually('the last label', async () => (await info()).Labels?.[0] === 'burst=9');
});

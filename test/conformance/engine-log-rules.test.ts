import { createReadStream, mkdtempSync, readdirSync, rmSync, type Stats, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { PluginAnswer, ScriptedPlugin } from '../support/scripted-plugin';

/** What the engine asks of log plugins, and when: the wire as a plugin sees it. */
const folder = mkdtempSync(join(tmpdir(), 'gantry-rules-'));
const plugin = new ScriptedPlugin(join(folder, 'rules.sock'), ['LogDriver']);
/** What was at `File` at the time of the question. */
const files: Stats[] = [];
const usual: ScriptedPlugin['script'] = {
  'LogDriver.Capabilities': new PluginAnswer('no such method', 404),
  'LogDriver.StartLogging': ({ body }) => {
    files.push(statSync(body.File));
    // Who reads nothing is taken for one that was started anew (P-LOG-5).
    createReadStream(body.File)
      .on('error', () => {})
      .resume();
    return {};
  },
};

beforeAll(() => plugin.listen());
afterAll(async () => {
  await plugin.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  plugin.script = usual;
  plugin.reset();
  files.length = 0;
});
const daemon = daemonForSuite({
  config: { plugins: { rules: { socket: plugin.socketPath } } },
  tidy: (each) => each.removeEverything(),
});
const docker = (...words: string[]) => daemon().cli.ok(...words);

test('a plugin is told everything about the container, and of an absent capability nothing is made (P-LOG-1, P-LOG-3)', async () => {
  const options = ['--log-driver', 'rules', '--log-opt', 'colour=red', '--log-opt', 'mode=non-blocking'];
  const more = ['--label', 'team=blue', '-e', 'A=1', '--entrypoint', 'echo'];
  await docker('run', '--name', 'told', ...options, ...more, 'busybox', 'one', 'two');
  expect(plugin.questions.map(({ method }) => method).filter((method) => method !== 'Plugin.Activate')).toEqual([
    'LogDriver.Capabilities',
    'LogDriver.StartLogging',
    'LogDriver.StopLogging',
  ]);
  const [{ Info }] = plugin.bodies('LogDriver.StartLogging');
  const [told] = JSON.parse(await docker('inspect', 'told'));
  expect(Info).toEqual({
    Config: { colour: 'red', mode: 'non-blocking' },
    ContainerID: told.Id,
    ContainerName: '/told',
    ContainerEntrypoint: 'echo',
    ContainerArgs: ['one', 'two'],
    ContainerImageID: told.Image,
    ContainerImageName: 'busybox',
    ContainerCreated: told.Created,
    ContainerEnv: expect.arrayContaining(['A=1']),
    ContainerLabels: { team: 'blue' },
    LogPath: expect.any(String),
    DaemonName: 'docker',
  });
  await docker('rm', 'told');
});

test('each start has a FIFO of its own, for nobody else, that is gone with it (P-LOG-2)', async () => {
  await docker('create', '--name', 'twice', '--log-driver', 'rules', 'busybox', 'echo', 'hi');
  for (const _ of [1, 2]) await docker('start', '-a', 'twice');
  const started = plugin.bodies('LogDriver.StartLogging').map(({ File }) => File as string);
  expect(started).toHaveLength(2);
  expect(new Set(started).size).toBe(2);
  for (const file of started) {
    expect(dirname(file)).toBe(join(daemon().execRoot, 'logging'));
    expect(basename(file)).toMatch(/^[0-9a-f]{64}$/);
  }
  expect(files.map((each) => [each.isFIFO(), (each.mode & 0o777).toString(8)])).toEqual([
    [true, '700'],
    [true, '700'],
  ]);
  expect(plugin.bodies('LogDriver.StopLogging')).toEqual(started.map((File) => ({ File })));
  expect(readdirSync(join(daemon().execRoot, 'logging'))).toEqual([]);
  await docker('rm', 'twice');
});

test('a start that the plugin refuses is refused, and leaves no FIFO (P-LOG-10)', async () => {
  plugin.script = { ...usual, 'LogDriver.StartLogging': { Err: 'the archive is full' } };
  const result = await daemon().cli.run(['run', '--name', 'refused', '--log-driver', 'rules', 'busybox', 'true']);
  expect([result.code, result.stderr]).toEqual([125, expect.stringContaining('the archive is full')]);
  expect(readdirSync(join(daemon().execRoot, 'logging'))).toEqual([]);
  await docker('rm', 'refused');
});

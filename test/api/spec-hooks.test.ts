import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createContainer, outputIn, startContainer } from '../support/containers';
import { startDaemon, type TestDaemon } from '../support/daemon';

const example = resolve(__dirname, '../../examples/spec-hook');
const sdk = resolve(__dirname, '../../sdk');

/** A second hook, which sees what the first one did, and does as the container's labels say. */
const second = `
const { definePlugin, SpecHook1 } = require(${JSON.stringify(sdk)});
exports.plugin = definePlugin({
  name: 'second', version: '1.0.0', engine: '^0.1.0', provides: { second: SpecHook1 },
  start: () => ({ second: {
    deadlineMs: 300,
    async onCreate({ config, hostConfig }) {
      const what = config.Labels.hook;
      if (what === 'slow') await new Promise(() => {});
      if (what === 'wrong') return { hostConfig: { Memory: 'much' } };
      if (what === 'invalid') return { hostConfig: { Memory: 5 } };
      if (what === 'breaks') throw new TypeError('cannot read properties of the house');
      if (what !== 'sees') return undefined;
      return { config: { Labels: { seen: config.Env.join() } }, hostConfig: { CapDrop: ['ALL'] }, warnings: ['dropped all'] };
    },
    async onSpec({ spec, labels }) {
      if (labels.hook === 'reserved') return { linux: { cgroupsPath: '/elsewhere' } };
      if (labels.hook === 'sees') return { annotations: { mounts: String(spec.mounts.length) }, process: { oomScoreAdj: 7 } };
    },
  } }),
});`;

let daemon: TestDaemon;
let ready = false;
beforeAll(async () => {
  daemon = await startDaemon({
    config: {
      plugins: {
        'house-rules': { module: example, config: { house: 'acme', rules: '/etc/hostname' } },
        second: { module: './second.js' },
      },
    },
    beforeStart: (each) => writeFileSync(join(each.folder, 'second.js'), second),
  });
  ready = true;
});
afterAll(async () => {
  if (ready) expect(await daemon.dispose()).toEqual([]);
});
const create = (body: object) =>
  daemon.api.post('/containers/create', { Image: 'busybox', Cmd: ['sleep', '600'], ...body });
const inspect = async (id: string) => (await daemon.api.get(`/containers/${id}/json`)).json();

test('a hook adds a variable and a mount, and inspect tells who did it', async () => {
  const id = await startContainer(daemon, { Env: ['A=1'] });
  expect(await outputIn(daemon, id, 'echo $A $HOUSE; test -s /etc/house-rules && echo rules')).toBe('1 acme\nrules');
  const expected = [
    { Hook: 'house-rules', Phase: 'create', Changes: ['/Config/Env'] },
    { Hook: 'house-rules', Phase: 'start', Changes: ['/mounts'] },
  ];
  expect((await inspect(id)).SpecHooks).toEqual(expected);
  await daemon.api.post(`/containers/${id}/restart?t=0`);
  expect((await inspect(id)).SpecHooks).toEqual(expected);
  await daemon.api.delete(`/containers/${id}?force=1`);
});

test('a hook forbids a privileged container, and the client reads why', async () => {
  const answer = await create({ HostConfig: { Privileged: true } });
  expect([answer.status, answer.json().message]).toEqual([
    403,
    'spec hook house-rules: privileged containers are not allowed here: ask for the capability you need with --cap-add',
  ]);
  const run = await daemon.cli.run(['run', '--rm', '--privileged', 'busybox', 'true']);
  expect(run.code).toBe(125);
  expect(run.stderr).toContain('spec hook house-rules: privileged containers are not allowed here');
  expect((await daemon.api.get('/containers/json?all=1')).json()).toEqual([]);
});

test('hooks are asked in their order, each after the changes of the one before', async () => {
  const made = await create({ Labels: { hook: 'sees' } });
  expect(made.json().Warnings).toEqual(['dropped all']);
  const id = made.json().Id;
  await daemon.api.post(`/containers/${id}/start`);
  const { Config, HostConfig, SpecHooks } = await inspect(id);
  expect(Config.Labels.seen).toBe('HOUSE=acme');
  expect(HostConfig.CapDrop).toEqual(['ALL']);
  expect(SpecHooks.map(({ Hook, Phase }: { Hook: string; Phase: string }) => `${Hook} ${Phase}`)).toEqual([
    'house-rules create',
    'second create',
    'house-rules start',
    'second start',
  ]);
  expect(SpecHooks[1].Changes).toEqual(['/Config/Labels/seen', '/HostConfig/CapDrop']);
  expect(await outputIn(daemon, id, 'cat /proc/1/oom_score_adj; grep CapEff /proc/1/status')).toMatch(/^7\n.*0000$/);
  await daemon.api.delete(`/containers/${id}?force=1`);
});

test.each([
  ['slow', 504, /spec hook second: its answer to a create did not end within 300 ms/],
  ['wrong', 400, /spec hook second made the request unreadable: .*HostConfig\.Memory/],
  ['invalid', 400, /Minimum memory limit allowed is 6MB/],
  ['breaks', 500, /spec hook second: cannot read properties of the house/],
])('a hook that is %s fails the request and leaves nothing', async (hook, status, message) => {
  const answer = await create({ Labels: { hook } });
  expect([answer.status, answer.json().message]).toEqual([status, expect.stringMatching(message)]);
  expect((await daemon.api.get('/containers/json?all=1')).json()).toEqual([]);
});

test('what belongs to the engine cannot be changed: the start fails and the container stays', async () => {
  const id = await createContainer(daemon, { Labels: { hook: 'reserved' } });
  const answer = await daemon.api.post(`/containers/${id}/start`);
  expect([answer.status, answer.json().message]).toEqual([
    500,
    'spec hook second: /linux/cgroupsPath belongs to the engine',
  ]);
  expect((await inspect(id)).State).toMatchObject({ Status: 'created', ExitCode: 128, Running: false });
  await daemon.api.delete(`/containers/${id}`);
});

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';
import { buildPlugin, pluginConfig } from '../support/managed-plugin/build-plugin';
import { startRegistry, type TestRegistry } from '../support/registry';
import { makeTar, type TarEntry } from '../support/tar';

// Names and tags end as the suite's own; a failed test leaves its plugin to the next one, which makes another.
const daemon = daemonForSuite({ tidy: (each) => each.removeEverything() });
const docker = (...args: string[]) => daemon().cli.ok(...args);
const refused = async (...args: string[]) => {
  const { code, stderr } = await daemon().cli.run(args);
  expect(code).not.toBe(0);
  return stderr.trim();
};

let registry: TestRegistry;
const folder = mkdtempSync(join(tmpdir(), 'gantry-plugins-'));
const folderOf = (version: string) => join(folder, version);
beforeAll(async () => {
  buildPlugin(folderOf('1'));
  // The second version wants less of one thing and more of another.
  buildPlugin(folderOf('2'), pluginConfig('2', { network: { type: '' }, ipcHost: true }));
  registry = await startRegistry();
});
afterAll(async () => {
  await registry.stop();
  rmSync(folder, { recursive: true });
});

const readVolume = (volume: string) => docker('run', '--rm', '-v', `${volume}:/v`, 'busybox', 'cat', '/v/by-plugin');
const mountsOfPlugins = () =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(`${daemon().dataRoot}/plugins/`));
const inspect = async (name: string) => JSON.parse(await docker('plugin', 'inspect', name))[0];

test('a plugin is created, enabled, used for volumes and logs, set, and removed', async () => {
  expect(await docker('plugin', 'create', 'acme/demo', folderOf('1'))).toBe('acme/demo');
  expect(await docker('plugin', 'ls', '--format', '{{.Name}} {{.Description}} {{.Enabled}}')).toBe(
    'acme/demo:latest a demo, version 1 false',
  );
  expect(await refused('volume', 'create', '-d', 'acme/demo', 'early')).toContain(
    'plugin acme/demo found but disabled',
  );
  expect(await refused('plugin', 'create', 'acme/demo', folderOf('1'))).toContain(
    'plugin acme/demo:latest already exists',
  );
  await docker('plugin', 'enable', 'acme/demo');
  const { Id, Enabled, Settings, Config } = await inspect('acme/demo');
  expect({ Enabled, Settings, type: Config.Interface.Types[0] }).toMatchObject({
    Enabled: true,
    Settings: { Env: ['VERSION=1', 'FAIL='], Args: ['one', 'two'] },
    type: 'docker.volumedriver/1.0',
  });
  expect(await docker('info', '--format', '{{.Plugins.Volume}} {{.Plugins.Log}}')).toMatch(
    /acme\/demo:latest.*acme\/demo:latest/,
  );

  // The mount is the plugin's own, and the host and the container see it.
  await docker('volume', 'create', '-d', 'acme/demo', 'shelf');
  expect(await docker('volume', 'ls', '--format', '{{.Driver}} {{.Name}}')).toBe('acme/demo:latest shelf');
  expect(await readVolume('shelf')).toBe('version 1 args one two');
  await docker('run', '--rm', '--log-driver', 'acme/demo:latest', 'busybox', 'echo', 'a line for the plugin');
  const log = join(daemon().dataRoot, 'plugins', Id, 'propagated-mount', 'log');
  await eventually('the log to be written by the plugin', () =>
    readFileSync(log, 'utf8').includes('a line for the plugin'),
  );
  // What it prints is in the daemon's log.
  expect(daemon().log).toMatch(new RegExp(`level=info msg="demo 1 args: one two" plugin=${Id}`));
  expect(daemon().log).toMatch(new RegExp(`level=error msg="a word on standard error" plugin=${Id}`));

  expect(await refused('plugin', 'disable', 'acme/demo')).toContain('plugin acme/demo:latest is in use');
  expect(await refused('plugin', 'rm', 'acme/demo')).toContain('plugin acme/demo:latest is in use');
  expect(await refused('plugin', 'set', 'acme/demo', 'FAIL=start')).toContain(
    'cannot set on an active plugin, disable plugin before setting',
  );
  await docker('volume', 'rm', 'shelf');
  await docker('plugin', 'disable', 'acme/demo');
  expect(mountsOfPlugins()).toEqual([]);

  expect(await refused('plugin', 'set', 'acme/demo', 'VERSION=3')).toContain('"VERSION" is not settable');
  await docker('plugin', 'set', 'acme/demo', 'FAIL=start', 'extra=three four', 'etc.source=/usr');
  expect(await refused('plugin', 'enable', 'acme/demo')).toMatch(/dial unix .*demo\.sock.*exit code \d+: told to fail/);
  expect(await docker('plugin', 'ls', '-q', '--filter', 'enabled=true')).toBe('');
  await docker('plugin', 'set', 'acme/demo', 'FAIL=');
  await docker('plugin', 'enable', '--timeout', '20', 'acme/demo');
  await docker('volume', 'create', '-d', Id, 'shelf');
  expect(await readVolume('shelf')).toBe('version 1 args three four');
  await docker('plugin', 'rm', '-f', 'acme/demo');
  await docker('volume', 'rm', '-f', 'shelf');

  expect(readdirSync(join(daemon().dataRoot, 'plugins'))).toEqual([]);
  expect(mountsOfPlugins()).toEqual([]);
  const filters = encodeURIComponent(JSON.stringify({ type: ['plugin'] }));
  const told = await daemon().api.get(`/events?since=1&until=${Math.ceil(Date.now() / 1000) + 1}&filters=${filters}`);
  const events = told.text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.map(({ Action, Actor }) => [Action, Actor.ID, Actor.Attributes.name])).toEqual(
    ['create', 'enable', 'disable', 'enable', 'remove'].map((action) => [
      action,
      Id,
      // As the client wrote it, but for a new one.
      action === 'create' ? 'acme/demo:latest' : 'acme/demo',
    ]),
  );
}, 60_000);

test('plugins go to a registry and come back, are upgraded, and a failed upgrade changes nothing', async () => {
  const remote = (version: string) => `${registry.host}/acme/demo:${version}`;
  for (const version of ['1', '2']) {
    await docker('plugin', 'create', remote(version), folderOf(version));
    expect(await docker('plugin', 'push', remote(version))).toMatch(/digest: sha256:[0-9a-f]{64} size: \d+/);
    await docker('plugin', 'rm', remote(version));
  }
  // Privileges are shown, and must be granted whole.
  const asked = await daemon().api.get(`/plugins/privileges?remote=${remote('1')}`);
  expect(asked.json()).toEqual([
    { Name: 'network', Description: 'permissions to access a network', Value: ['host'] },
    { Name: 'mount', Description: 'host path to mount', Value: ['/etc'] },
    { Name: 'capabilities', Description: 'list of additional capabilities required', Value: ['CAP_SYS_ADMIN'] },
  ]);
  const others = asked.json().map((it: { Name: string }) => (it.Name === 'mount' ? { ...it, Value: ['/'] } : it));
  for (const granted of [asked.json().slice(1), others]) {
    const answer = await daemon().api.post(`/plugins/pull?remote=${remote('1')}&name=cheap`, granted);
    expect(answer.status).toBe(500);
    expect(answer.json().message).toMatch(/^incorrect privileges: not granted: /);
  }
  expect(readdirSync(join(daemon().dataRoot, 'plugins'))).toEqual([]);

  const install = await daemon().cli.run(['plugin', 'install', '--alias', 'demo', remote('1'), 'extra=ten'], {
    input: 'y\n',
  });
  expect(install.stdout).toContain('- mount: [/etc]');
  expect(install.stdout).toContain(`Installed plugin ${remote('1')}`);
  const before = await inspect('demo');
  expect([before.Name, before.PluginReference, before.Enabled]).toEqual(['demo:latest', remote('1'), true]);
  expect(await refused('plugin', 'install', '--grant-all-permissions', '--alias', 'demo', remote('1'))).toContain(
    'plugin demo:latest already exists',
  );
  await docker('volume', 'create', '-d', 'demo', 'data');
  expect(await readVolume('data')).toBe('version 1 args ten');

  const upgrade = (to: string) =>
    refused('plugin', 'upgrade', '--skip-remote-check', '--grant-all-permissions', 'demo', to);
  expect(await upgrade(remote('2'))).toContain('must be disabled before upgrading');
  await docker('plugin', 'disable', '-f', 'demo');
  expect(await upgrade(remote('9'))).toContain('manifest unknown');
  const unwilling = await daemon().api.post(`/plugins/demo/upgrade?remote=${remote('2')}`, asked.json());
  expect(unwilling.json().message).toContain('incorrect privileges: not granted: host ipc namespace [true]');
  expect(await inspect('demo')).toEqual({ ...before, Enabled: false });
  await docker('plugin', 'enable', 'demo');
  expect(await readVolume('data')).toBe('version 1 args ten');

  // Id, settings and volumes stay.
  await docker('plugin', 'disable', '-f', 'demo');
  await docker('plugin', 'upgrade', '--skip-remote-check', '--grant-all-permissions', 'demo', remote('2'));
  await docker('plugin', 'enable', 'demo');
  expect(await readVolume('data')).toBe('version 2 args ten');
  const after = await inspect('demo');
  expect([after.Id, after.PluginReference, after.Config.IpcHost]).toEqual([before.Id, remote('2'), true]);
  // And the way back.
  await docker('plugin', 'disable', '-f', 'demo');
  await docker('plugin', 'upgrade', '--skip-remote-check', '--grant-all-permissions', 'demo', remote('1'));
  await docker('plugin', 'enable', 'demo');
  expect(await readVolume('data')).toBe('version 1 args ten');
  await docker('volume', 'rm', 'data');
  await docker('plugin', 'rm', '-f', 'demo');
  expect(await refused('plugin', 'install', '--grant-all-permissions', `${registry.host}/acme/none`)).toContain(
    'manifest unknown',
  );
}, 60_000);

test('requests that cannot be right are refused in the words of dockerd, and leave nothing', async () => {
  const api = daemon().api;
  const tar = { headers: { 'Content-Type': 'application/x-tar' } };
  const config = { name: 'config.json', data: JSON.stringify(pluginConfig()) };
  const root = { name: 'rootfs/x', data: 'x' };
  const archive = (...entries: TarEntry[]) => ({ body: makeTar(entries), ...tar });
  await docker('plugin', 'create', 'here', folderOf('1'));
  const answers: [string, string, object, number, RegExp][] = [
    ['GET', '/plugins/none/json', {}, 404, /^plugin "none" not found$/],
    ['POST', '/plugins/none/enable?timeout=0', {}, 404, /^plugin "none" not found$/],
    ['POST', '/plugins/here/enable', {}, 500, /^strconv.Atoi: parsing "": invalid syntax$/],
    ['POST', '/plugins/here/enable?timeout=soon', {}, 500, /^strconv.Atoi: parsing "soon": invalid syntax$/],
    ['POST', '/plugins/here/disable', {}, 409, /^plugin is already disabled: plugin here:latest found but disabled$/],
    ['POST', '/plugins/here/set', { json: ['VERSION=2'] }, 500, /^"VERSION" is not settable$/],
    ['POST', '/plugins/here/set', { json: ['X=2'] }, 500, /^setting "X" not found in the plugin configuration$/],
    ['POST', '/plugins/here/set', { json: { X: 2 } }, 400, /cannot unmarshal object/],
    ['GET', '/plugins?filters={"colour":["red"]}', {}, 400, /^invalid filter 'colour'$/],
    ['GET', '/plugins?filters={"enabled":["perhaps"]}', {}, 400, /^invalid filter 'enabled=\[perhaps\]'$/],
    ['GET', '/plugins/privileges', {}, 400, /invalid reference format/],
    ['POST', `/plugins/pull?remote=${registry.host}/x`, {}, 400, /failed to parse privileges/],
    ['POST', `/plugins/pull?remote=${registry.host}/x`, { json: [] }, 404, /manifest unknown/],
    ['POST', '/plugins/create?name=UPPER', archive(config, root), 400, /must be lowercase/],
    ['POST', `/plugins/create?name=a@sha256:${'0'.repeat(64)}`, archive(config, root), 500, /canonical references/],
    ['POST', '/plugins/create?name=new', archive(root), 500, /^config not found$/],
    ['POST', '/plugins/create?name=new', archive(config), 500, /^no rootfs found: EOF$/],
    ['POST', '/plugins/create?name=new', archive({ ...config, data: '{' }, root), 500, /^failed to parse config: /],
    ['POST', '/plugins/create?name=new', archive(config, { name: 'rootfs/../../x' }), 400, /leaves the layer/],
    ['POST', '/plugins/create?name=new', { body: 'junk', ...tar }, 400, /^unexpected EOF$/],
    ['POST', '/plugins/create?name=here', archive(config, root), 409, /^plugin here:latest already exists$/],
  ];
  for (const [method, path, options, status, message] of answers) {
    const answer = await api.request(method, encodeURI(path), options);
    expect([path, answer.status, answer.json().message]).toEqual([path, status, expect.stringMatching(message)]);
  }
  const { Id } = await inspect('here');
  expect(readdirSync(join(daemon().dataRoot, 'plugins'))).toEqual([Id]);
  expect(readdirSync(join(daemon().dataRoot, 'images/plugin-roots'))).toHaveLength(1);
  expect(readdirSync(join(daemon().dataRoot, 'plugin-manager/tmp'))).toEqual([]);
  expect((await inspect(Id.slice(0, 9))).Name).toBe('here:latest');
  await docker('plugin', 'enable', Id);
  expect(await refused('plugin', 'enable', 'here')).toContain('plugin already enabled: plugin here:latest is enabled');
  expect(await refused('plugin', 'rm', 'here')).toContain('plugin here:latest is enabled');
  for (const [filter, found] of [
    ['capability=volumedriver', 'here:latest'],
    ['capability=authz', ''],
    ['enabled=false', ''],
  ] as const)
    expect(await docker('plugin', 'ls', '--filter', filter, '--format', '{{.Name}}')).toBe(found);
  await docker('plugin', 'rm', '--force', 'here');
}, 60_000);

test('an authorization plugin judges while it is enabled, and leaves the chain when it is disabled', async () => {
  const config = pluginConfig('1', { interface: { types: ['docker.authz/1.0'], socket: 'demo.sock' } });
  writeFileSync(join(folderOf('1'), 'config.json'), JSON.stringify(config));
  await docker('plugin', 'create', 'judge', folderOf('1'));
  writeFileSync(join(folderOf('1'), 'config.json'), JSON.stringify(pluginConfig()));
  await docker('plugin', 'enable', 'judge');
  expect(await docker('volume', 'create', 'before')).toBe('before');
  daemon().changeConfig({ 'authorization-plugins': ['judge'] });
  process.kill(daemon().pid, 'SIGHUP');
  await eventually('the plugin to be asked', async () => (await docker('info')).includes('Authorization: judge'));
  expect(await refused('volume', 'create', 'not-now')).toContain('authorization denied by plugin judge: no volumes');
  await docker('plugin', 'disable', 'judge');
  expect(await docker('volume', 'create', 'after')).toBe('after');
  daemon().changeConfig({ 'authorization-plugins': [] });
  await docker('plugin', 'rm', 'judge');
  await docker('volume', 'rm', 'before', 'after');
}, 60_000);

test('a plugin whose mount points are links gives containers its own files and not those of the host (P-PROP-2)', async () => {
  await docker('plugin', 'create', 'sly', folderOf('1'));
  await docker('plugin', 'enable', 'sly');
  for (const volume of ['sly-root', 'sly-climb']) {
    await docker('volume', 'create', '-d', 'sly', volume);
    const list = ['run', '--rm', '-v', `${volume}:/v:nocopy`, 'busybox', 'ls', '/v'];
    expect(await docker(...list)).not.toContain('shadow');
    const mountpoint = await docker('volume', 'inspect', '-f', '{{.Mountpoint}}', volume);
    expect(mountpoint).toMatch(new RegExp(`^${daemon().dataRoot}/.*/etc$`));
    await docker('volume', 'rm', volume);
  }
  await docker('plugin', 'rm', '--force', 'sly');
}, 60_000);

test('an enabled plugin outlives a killed daemon, comes back when it ends, and ends with a stopped daemon', async () => {
  await docker('plugin', 'create', 'steady', folderOf('1'));
  await docker('plugin', 'enable', 'steady');
  await docker('volume', 'create', '-d', 'steady', 'kept');
  await docker('run', '-d', '--name', 'holder', '--stop-signal', 'KILL', '-v', 'kept:/v', 'busybox', 'sleep', '600');
  const { Id } = await inspect('steady');
  const pid = () => pluginPid(Id);
  const first = await eventually('the plugin to run', pid);

  await daemon().kill();
  await daemon().start();
  expect(await readVolume('kept')).toBe('version 1 args one two');
  expect(pid()).toBe(first);
  expect(await docker('exec', 'holder', 'cat', '/v/by-plugin')).toBe('version 1 args one two');

  // Calls wait for it.
  process.kill(first, 'SIGKILL');
  await docker('volume', 'create', '-d', 'steady', 'late');
  const second = await eventually('the plugin to run again', pid);
  expect(second).not.toBe(first);

  await daemon().kill();
  process.kill(second, 'SIGKILL');
  await daemon().start();
  expect(await readVolume('late')).toBe('version 1 args one two');

  await daemon().stop();
  expect(pid()).toBeUndefined();
  expect(mountsOfPlugins()).toEqual([]);
}, 60_000);

/** The first process of a plugin, found by its control group. */
function pluginPid(id: string): number | undefined {
  for (const name of readdirSync('/proc').filter((it) => /^\d+$/.test(it))) {
    try {
      if (!readFileSync(`/proc/${name}/cgroup`, 'utf8').includes(id)) continue;
      if (readFileSync(`/proc/${name}/cmdline`, 'utf8').startsWith('/usr/bin/perl')) return Number(name);
    } catch {
      // It ended while we looked.
    }
  }
  return undefined;
}

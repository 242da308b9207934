import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCommandLine } from '../command-line';
import { toDaemonSettings } from '../daemon-settings';
import { diffConfig } from '../diff';
import { ConfigurationError, renderProblem } from '../problem';
import { keysWithoutEffect, readConfiguration } from '../read-configuration';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-config-'));
  file = join(folder, 'daemon.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (content: unknown, ...flags: string[]) => {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return readConfiguration(readCommandLine(['--config-file', file, ...flags]));
};

const problemsOf = (content: unknown, ...flags: string[]): string[] => {
  try {
    read(content, ...flags);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems.map(renderProblem);
    throw error;
  }
  return [];
};

test('file and flags are merged by presence, the rest has its default', () => {
  const { values, origins } = read({ icc: false, 'log-opts': { 'max-size': '10m' } }, '--mtu=1400', '-l', 'warn');
  expect(values).toMatchObject({ icc: false, 'log-opts': { 'max-size': '10m' }, mtu: 1400, 'log-level': 'warn' });
  expect(values['data-root']).toBe('/var/lib/gantry');
  expect(Object.fromEntries(origins)).toEqual({ icc: 'file', 'log-opts': 'file', mtu: 'flag', 'log-level': 'flag' });
});

test('a misspelt key is refused with its place and the nearest known one', () => {
  expect(problemsOf('{\n  "debgu": true\n}')).toEqual([
    `${file}:2:3 (/debgu): the following directives don't match any configuration option: debgu; did you mean "debug"?`,
  ]);
});

test('the name of a flag used as a key is refused with the right key', () => {
  expect(problemsOf({ 'log-opt': {} })[0]).toContain('the key in the file is "log-opts"');
  expect(problemsOf({ 'authorization-plugin': [] })[0]).toContain('the key in the file is "authorization-plugins"');
});

test('a key of dockerd that is not served is refused with the reason', () => {
  expect(problemsOf({ 'apparmor-profile': 'x' })[0]).toMatch(
    /\(\/apparmor-profile\): "apparmor-profile" is not supported: .+/,
  );
  expect(problemsOf({}, '--userns-remap', 'default')).toEqual([
    expect.stringMatching(/--userns-remap: not supported: .+/),
  ]);
});

test('every problem of file and flags is told at once', () => {
  const problems = problemsOf(
    { mtu: 'big', dns: ['1.1.1.1', 'nope'], hosts: ['ftp://x'], 'default-shm-size': '64q', 'no-such-key': 1 },
    '--bip=1.2.3.4',
  );
  expect(problems).toHaveLength(6);
  expect(problems.join('\n')).toMatch(/no-such-key.*hosts.*invalid argument "1.2.3.4" for "--bip" flag/s);
});

test('a mistake in one plugin entry does not hide the others from whoever judges the plugin set', () => {
  try {
    read({ plugins: { nfs: { module: 'acme-nfs' }, vol: { socket: '/x.sock', optoinal: true } } });
    throw new Error('it was taken');
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigurationError);
    const { partial } = error as ConfigurationError<{ values: { plugins: object } }>;
    expect(Object.keys(partial!.values.plugins)).toEqual(['nfs']);
  }
});

test('the same key in the file and as a flag is a conflict that shows both values', () => {
  expect(problemsOf({ hosts: ['tcp://127.0.0.1:1'], debug: true }, '-H', 'unix:///x', '-D')[0]).toContain(
    'the following directives are specified both as a flag and in the configuration file: ' +
      'hosts: (from flag: [unix:///x], from file: ["tcp://127.0.0.1:1"]), debug: (from flag: true, from file: true)',
  );
});

test('runtimes of file and flags are taken together', () => {
  const { values } = read({ runtimes: { a: { path: '/a' } } }, '--add-runtime', 'b=/b');
  expect(Object.keys(values.runtimes)).toEqual(['a', 'b']);
});

test('a default configuration file may be missing, a named one may not', () => {
  expect(() => readConfiguration(readCommandLine(['--config-file', join(folder, 'none.json')]))).toThrow(
    /cannot be read/,
  );
});

test('a plugin section takes only what it knows, or false', () => {
  const { values } = read({ plugins: { x: { module: './x.js', config: { a: 1 } }, 'volume-local': false } });
  expect(values.plugins).toEqual({
    x: expect.objectContaining({ module: './x.js', config: { a: 1 }, optional: false }),
    'volume-local': false,
  });
  expect(problemsOf({ plugins: { x: { optinal: true } } })[0]).toContain('did you mean "optional"?');
  expect(problemsOf({ plugins: { x: { socket: 'x.sock' } } })[0]).toContain('(/plugins/x/socket)');
  expect(problemsOf({ plugins: { x: { socket: '/x.sock', module: 'x' } } })[0]).toContain(
    'has no meaning beside "socket"',
  );
});

test('authorization plugins are named in the file or by flags, not in both', () => {
  const names = (file: object, ...flags: string[]) => read(file, ...flags).values['authorization-plugins'];
  expect(names({ 'authorization-plugins': ['b', 'a'] })).toEqual(['b', 'a']);
  expect(names({}, '--authorization-plugin=b', '--authorization-plugin', 'a')).toEqual(['b', 'a']);
  expect(problemsOf({ 'authorization-plugins': [''] })).toHaveLength(1);
  expect(problemsOf({ 'authorization-plugins': 'a' })).toHaveLength(1);
});

test('flags are read in every form that pflag takes', () => {
  const { values } = read(
    {},
    '-Dl',
    'error',
    '-H=unix:///a',
    '-Hunix:///b',
    '--icc=false',
    '--label',
    'a=1',
    '--label=b=2',
  );
  expect(values).toMatchObject({ debug: true, 'log-level': 'error', icc: false, labels: ['a=1', 'b=2'] });
  expect(values.hosts).toEqual(['unix:///a', 'unix:///b']);
});

test.each([
  [['--nope'], 'unknown flag: --nope'],
  [['--debgu'], 'unknown flag: --debgu; did you mean --debug?'],
  [['-x'], "unknown shorthand flag: 'x' in -x"],
  [['--data-root'], 'flag needs an argument: --data-root'],
  [['serve'], '"gantryd" accepts no arguments, got "serve"'],
])('%j cannot be read and ends with 125', (flags, message) => {
  let caught: unknown;
  try {
    read({}, ...flags);
  } catch (error) {
    caught = error;
  }
  expect(caught).toMatchObject({ exitCode: 125, problems: [{ message }] });
});

test('a wrong value of a flag is not a usage problem', () => {
  expect(problemsOf({}, '--icc=perhaps')).toEqual([
    'invalid argument "perhaps" for "--icc" flag: "perhaps" is neither true nor false',
  ]);
  expect(problemsOf({}, '--default-ulimit', 'nofile=9:1')).toHaveLength(1);
});

test('values are brought to their inner form', () => {
  const { values } = read(
    {},
    '--default-shm-size=1.5g',
    '--default-ulimit=nofile=1024:2048',
    '--default-address-pool=base=10.0.0.0/8,size=24',
    '-H',
    ':2375',
  );
  expect(values['default-shm-size']).toBe(1.5 * 1024 ** 3);
  expect(values['default-ulimits']).toEqual({ nofile: { Name: 'nofile', Soft: 1024, Hard: 2048 } });
  expect(values['default-address-pools']).toEqual([{ base: '10.0.0.0/8', size: 24 }]);
  expect(values.hosts).toEqual(['tcp://:2375']);
});

test('a difference is told apart by what can change live', () => {
  const before = read({ debug: false, mtu: 1500 }).values;
  const after = read({ debug: true, mtu: 1400 }).values;
  expect(diffConfig(before, after)).toEqual({ live: ['debug'], needRestart: ['mtu'] });
});

test('features are taken where they are as asked for, and refused by name where not', () => {
  expect(
    read({ features: { buildkit: false, cdi: true } }, '--feature=containerd-snapshotter=false').values.features,
  ).toEqual({
    buildkit: false,
    cdi: true,
    'containerd-snapshotter': false,
  });
  expect(read({ features: { buildkit: true } }).values.features).toEqual({ buildkit: true });
  expect(problemsOf({ features: { 'containerd-snapshotter': true } })[0]).toMatch(
    /\(\/features\/containerd-snapshotter\): .*cannot be true: layers/,
  );
  const cdiDirectories = (...flags: string[]) => toDaemonSettings(read({}, ...flags).values, 'engine').cdiSpecDirs;
  expect([cdiDirectories('--feature=cdi=false'), cdiDirectories('--feature=cdi').length]).toEqual([[], 2]);
  expect(problemsOf({}, '--feature', 'made-up')[0]).toContain('there is no such feature');
  expect(problemsOf({}, '--feature', 'cdi=maybe')[0]).toContain('name=true');
});

test('what is taken for compatibility and changes nothing is told with the reason', () => {
  expect(keysWithoutEffect(read({}, '--containerd=/run/containerd/containerd.sock'))).toEqual([
    '"containerd" has no effect: containers run under their own shims here, without a containerd daemon',
  ]);
  expect(keysWithoutEffect(read({ containerd: '' }))).toEqual([]);
  const namespaces = ['--containerd-namespace', 'd1', '--containerd-plugins-namespace', 'd1p'];
  expect(keysWithoutEffect(read({}, ...namespaces))).toEqual([
    expect.stringMatching(/^"containerd-namespace" has no effect: /),
    expect.stringMatching(/^"containerd-plugin-namespace" has no effect: /),
  ]);
});

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(__dirname, '../..');
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'gantry-author-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const kinds = {
  volume: ['--refused', 'colour=red'],
  network: ['--refused', 'colour=red'],
  ipam: ['--without-ipv6'],
  log: ['--refused', 'colour=red'],
  authz: ['--allow', 'GET /v1.51/info', '--deny', 'DELETE /v1.51/volumes/x'],
  metrics: [],
  secret: [],
} as const;
const command = (...args: string[]) =>
  run(process.execPath, [join(folder, 'node_modules/.bin/gantry-plugin'), ...args], { cwd: folder });

// What an author installs: the packed SDK, and what it depends on from where we have it.
beforeAll(async () => {
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: join(root, 'sdk') });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  writeFileSync(join(folder, 'packed.json'), JSON.stringify(files.map(({ path }) => path)));
  const koffi = `file:${join(root, 'node_modules/koffi')}`;
  const manifest = {
    name: 'author',
    private: true,
    dependencies: { '@gantry/sdk': `file:${filename}`, koffi },
    overrides: { koffi },
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder });
}, 90_000);

test('the package holds what an author needs and nothing of our own making of it', () => {
  const files = JSON.parse(readFileSync(join(folder, 'packed.json'), 'utf8')) as string[];
  expect(files).toEqual(
    expect.arrayContaining([
      'dist/index.d.ts',
      'dist/serve/index.d.ts',
      'bin/gantry-plugin.js',
      'templates/volume.js',
      'guide/first-plugin.md',
    ]),
  );
  expect(
    files.filter((path) => /\/test\/|\.test\.|tsbuildinfo|\.map$|^(?!templates|bin|dist).*\.[jt]s$/.test(path)),
  ).toEqual([]);
});

test('a program of an author type-checks against the package and runs', async () => {
  writeFileSync(
    join(folder, 'author.ts'),
    `import { conflict, definePlugin, VolumeDriver1, type VolumeDriver } from '@gantry/sdk';
import { referenceVolumeDriver } from '@gantry/sdk/conformance';
const driver: VolumeDriver = referenceVolumeDriver();
export const plugin = definePlugin({ name: 'x', version: '1.0.0', engine: '^0.1.0', provides: { x: VolumeDriver1 }, start: () => ({ x: driver }) });
driver.create('a', {}).then(() => driver.list()).then((list) => console.log(list.length, conflict('no').kind));
`,
  );
  await run(
    process.execPath,
    [
      join(root, 'node_modules/.bin/tsc'),
      ...[
        '--strict',
        '--module',
        'node16',
        '--target',
        'es2022',
        '--types',
        'node',
        '--typeRoots',
        join(root, 'node_modules/@types'),
      ],
      ...['--skipLibCheck', 'author.ts'],
    ],
    { cwd: folder },
  );
  expect((await run(process.execPath, [join(folder, 'author.js')])).stdout).toBe('1 conflict\n');
}, 60_000);

describe.each(Object.entries(kinds))('a generated %s plugin', (kind, known) => {
  let program: ChildProcess | undefined;
  afterAll(() => program?.kill('SIGKILL'));

  test('is at most sixty lines of work, passes its own tests and the kit', async () => {
    await command('new', kind, `${kind}-one`);
    const at = (name: string) => join(folder, `${kind}-one`, name);
    expect(
      readFileSync(at('driver.js'), 'utf8')
        .trim()
        .split('\n')
        .filter((line) => !/^\s*(\/?\*|\/\/|$)/.test(line)).length,
    ).toBeLessThanOrEqual(60);
    await run(process.execPath, ['--test'], { cwd: join(folder, `${kind}-one`) });
    const socket = at('plugin.sock');
    program = spawn(process.execPath, [at('server.js'), socket, at('state')], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(program.stdout!, 'data');
    const { stdout } = await command('test', kind, '--socket', socket, ...known);
    expect(stdout).toMatch(/[1-9]\d* passed, 0 failed/);
    program.kill('SIGTERM');
    await once(program, 'exit');
    expect(existsSync(socket)).toBe(false);
  }, 60_000);

  test('is a plugin the daemon takes when it is made for in process', async () => {
    await command('new', kind, `${kind}-two`, '--in-process');
    const daemon = { plugins: { [`${kind}-two`]: { module: `./${kind}-two` } } };
    writeFileSync(join(folder, `${kind}.json`), JSON.stringify(daemon));
    const { stderr } = await run(
      process.execPath,
      [join(root, 'core/bin/gantryd.js'), '--validate', `--config-file=${kind}.json`],
      { cwd: folder },
    );
    expect(stderr).toBe('configuration OK\n');
    expect(readdirSync(join(folder, `${kind}-two`)).sort()).toEqual([
      'README.md',
      'driver.js',
      'driver.test.js',
      'package.json',
      'plugin.js',
    ]);
  }, 30_000);
});

test('a folder that holds something is left alone, and a name that is none is refused', async () => {
  await command('new', 'volume', 'volume-three');
  await expect(command('new', 'volume', 'volume-three')).rejects.toMatchObject({
    stdout: expect.stringContaining('is not empty'),
    code: 2,
  });
  await expect(command('new', 'volume', '../x')).rejects.toMatchObject({
    stdout: expect.stringContaining("cannot be a plugin's name"),
  });
  await expect(command('new', 'graph')).rejects.toMatchObject({
    stdout: expect.stringContaining('name the kind of plugin'),
  });
});

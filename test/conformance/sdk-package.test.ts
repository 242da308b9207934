import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { installPackedSdk } from '../support/author-folder';

const root = resolve(__dirname, '../..');
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'gantry-author-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const kinds = ['volume', 'network', 'ipam', 'log', 'authz', 'metrics', 'secret'];
const command = (...args: string[]) =>
  run(process.execPath, [join(folder, 'node_modules/.bin/gantry-plugin'), ...args], { cwd: folder });

let files: readonly string[];
beforeAll(async () => {
  files = await installPackedSdk(folder);
}, 90_000);

test('the package holds what an author needs and nothing of our own making of it', () => {
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

test.each(kinds)(
  'a generated %s plugin is at most sixty lines of work and passes its own tests',
  async (kind) => {
    await command('new', kind, `${kind}-one`);
    const own = join(folder, `${kind}-one`);
    const lines = readFileSync(join(own, 'driver.js'), 'utf8').trim().split('\n');
    expect(lines.filter((line) => !/^\s*(\/?\*|\/\/|$)/.test(line)).length).toBeLessThanOrEqual(60);
    await run(process.execPath, ['--test'], { cwd: own });
    await command('new', kind, `${kind}-two`, '--in-process');
    expect(readdirSync(join(folder, `${kind}-two`)).sort()).toEqual([
      'README.md',
      'driver.js',
      'driver.test.js',
      'package.json',
      'plugin.js',
    ]);
  },
  60_000,
);

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

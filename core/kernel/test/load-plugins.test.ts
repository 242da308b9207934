import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { PluginEntry } from '../../config/plugin-entry';
import { loadPlugins } from '../loader/load-plugins';
import { checkDefinition } from '../manifest/check-definition';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-load-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const definition = (name: string, more = '') =>
  `{ name: '${name}', version: '1.0.0', engine: '^0.1.0', provides: {}, start: () => ({}), ${more} }`;

function write(path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const entry = (more: Partial<Exclude<PluginEntry, false>>): PluginEntry => ({
  config: undefined,
  optional: false,
  ...more,
});
const load = (entries: Record<string, PluginEntry>) => loadPlugins([], entries, [folder]);

test('a third-party module is found by relative path, absolute path and package name', async () => {
  write('mine.js', `exports.plugin = ${definition('mine')};`);
  const absolute = write('other.js', `module.exports = { default: ${definition('other')} };`);
  write('node_modules/@acme/nfs/package.json', '{"name":"@acme/nfs","version":"1.0.0","main":"main.js"}');
  write('node_modules/@acme/nfs/main.js', `exports.plugin = ${definition('nfs')};`);
  const { plugins, problems } = await load({
    mine: entry({ module: './mine.js' }),
    other: entry({ module: absolute }),
    nfs: entry({ module: '@acme/nfs', config: { a: 1 } }),
  });
  expect(problems).toEqual([]);
  expect(plugins.map(({ name, config }) => [name, config])).toEqual([
    ['mine', undefined],
    ['other', undefined],
    ['nfs', { a: 1 }],
  ]);
});

test('what cannot be loaded is a problem in words that name path and reason', async () => {
  write('throws.js', `throw new Error('needs a GPU');`);
  write('empty.js', '');
  write('newer.js', `exports.plugin = ${definition('newer').replace('^0.1.0', '^9.0.0')};`);
  write('renamed.js', `exports.plugin = ${definition('somebody')};`);
  const { problems } = await load({
    missing: entry({ module: '@acme/missing' }),
    throws: entry({ module: './throws.js' }),
    empty: entry({ module: './empty.js' }),
    newer: entry({ module: './newer.js' }),
    renamed: entry({ module: './renamed.js' }),
    'volume-loca': entry({}),
  });
  expect(problems.map(({ pointer, message }) => `${pointer}: ${message}`)).toEqual([
    expect.stringMatching(/^\/plugins\/missing: .*cannot find the module "@acme\/missing" from/),
    expect.stringMatching(/^\/plugins\/throws: .*throws\.js failed while it was loaded: needs a GPU/),
    expect.stringMatching(/^\/plugins\/empty: .*exports no plugin/),
    expect.stringMatching(/^\/plugins\/newer: .*needs the plugin SDK \^9\.0\.0, this daemon has 0\./),
    expect.stringMatching(/^\/plugins\/renamed: .*defines a plugin named "somebody"/),
    expect.stringMatching(/^\/plugins\/volume-loca: .*no bundled plugin has this name/),
  ]);
});

test('an optional plugin that cannot be loaded is skipped with the reason', async () => {
  const { skipped, problems } = await load({ acme: entry({ module: '@acme/missing', optional: true }) });
  expect(problems).toEqual([]);
  expect(skipped).toEqual([{ name: 'acme', reason: expect.stringContaining('@acme/missing') }]);
});

test('a bundled plugin set to false is not loaded', async () => {
  const { plugins, skipped } = await loadPlugins(['volumes'], { volumes: false }, []);
  expect(plugins).toEqual([]);
  expect(skipped).toEqual([{ name: 'volumes', reason: 'switched off in daemon.json' }]);
});

test('ECMAScript modules load as well, also packages that only have an import entry', () => {
  const file = write('mine.mjs', `await 0; export const plugin = ${definition('mine')};`);
  write(
    'node_modules/acme/package.json',
    '{"name":"acme","version":"1.0.0","type":"module","exports":{".":{"import":"./main.js"}}}',
  );
  write('node_modules/acme/main.js', `export default ${definition('acme')};`);
  // A process of its own: the test runner replaces the module loader.
  const built = resolve(__dirname, '../../dist/kernel/loader/import-module.js');
  const script = `
    const { importModule } = require(${JSON.stringify(built)});
    Promise.all(['${file}', 'acme'].map((name) => importModule(name, ['${folder}'])))
      .then((loaded) => console.log(loaded.map((it) => it.name).join()));`;
  expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim()).toBe('mine,acme');
});

test('everything that is wrong with a definition is told at once', () => {
  const result = checkDefinition({ name: 'x', version: 'one', engine: 'latest', provides: { a: 'b' }, start: 1 }, 'x');
  expect(result).toEqual({
    problems: [
      expect.stringContaining('version'),
      expect.stringContaining('engine'),
      expect.stringContaining('start'),
      expect.stringContaining('provides.a'),
    ],
  });
});

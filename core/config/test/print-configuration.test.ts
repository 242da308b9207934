import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCommandLine } from '../command-line';
import { knownKeys } from '../known-keys';
import { printConfiguration } from '../print-configuration';
import { readConfiguration } from '../read-configuration';

let file: string;
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'gantry-print-')), 'daemon.json');
});
afterEach(() => rmSync(join(file, '..'), { recursive: true, force: true }));

function printed(text: string, ...flags: string[]) {
  writeFileSync(file, text);
  const configuration = readConfiguration(readCommandLine(['--config-file', file, ...flags]));
  const plugins = [
    { name: 'volume-local', config: { root: '/srv' } },
    { name: 'images', config: undefined },
  ];
  return JSON.parse(printConfiguration(configuration, plugins));
}

test('every key is shown with its value and where that comes from', () => {
  const { keys, file: shown } = printed(
    '{\n  "debug": true,\n  "runtimes": {"a": {"path": "/a"}}\n}',
    '--mtu=1400',
    '--add-runtime=b=/b',
  );
  expect(shown).toBe(file);
  expect(Object.keys(keys)).toEqual(Object.keys(knownKeys).sort());
  expect(keys.debug).toEqual({ value: true, origin: `${file}:2:3` });
  expect(keys.mtu).toEqual({ value: 1400, origin: '--mtu' });
  expect(keys['log-level']).toEqual({ value: 'info', origin: 'default' });
  expect(keys.bip).toEqual({ value: null, origin: 'default' });
  expect(keys.runtimes).toEqual({
    value: { a: { path: '/a' }, b: { path: '/b' } },
    origin: `${file}:3:3 and --add-runtime`,
  });
});

test('plugins are shown with their own sections', () => {
  const { plugins } = printed('{"plugins": {"volume-local": {"config": {"root": "/srv"}}}}');
  expect(plugins['volume-local']).toEqual({ value: { root: '/srv' }, origin: `${file}:1:31` });
  expect(plugins.images).toEqual({ origin: 'default' });
});

test('a password in an address is not shown', () => {
  const { keys } = printed('{"labels": ["a=b"], "log-opts": {"url": "https://me:secret@host/x"}}');
  expect(keys['log-opts'].value.url).toBe('https://xxxxx:xxxxx@host/x');
});

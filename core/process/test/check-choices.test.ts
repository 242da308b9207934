import { definePlugin, Runtime1, Snapshotter1 } from '@gantry/sdk';
import { type ConfigValues, knownKeys } from '../../config/known-keys';
import type { PluginPlan } from '../../kernel/lifecycle/plan-plugins';
import { checkChoices } from '../check-choices';

const defaults = Object.fromEntries(
  Object.entries(knownKeys).map(([name, key]) => [name, key.fallback]),
) as ConfigValues;
const definition = definePlugin<any, any, any>({
  name: 'all',
  version: '1.0.0',
  engine: '*',
  provides: { runc: Runtime1, overlay2: Snapshotter1 },
  start: () => ({}),
});
const plan = (plugins: (typeof definition)[]): PluginPlan => ({
  plugins: plugins.map((it) => ({
    name: it.name,
    definition: it,
    config: undefined,
    optional: false,
    dependencies: new Set(),
    mandatory: new Set(),
  })),
  sockets: [],
  skipped: [],
});
const check = (values: Partial<ConfigValues>, plugins = [definition]) =>
  checkChoices(
    {
      values: { ...defaults, ...values },
      file: 'daemon.json',
      origins: new Map(Object.keys(values).map((key) => [key, key === 'storage-driver' ? 'flag' : 'file'])),
      where: (pointer) => `daemon.json (${pointer})`,
    },
    plan(plugins),
  );

test('drivers that plugins provide or the file describes may be chosen', () => {
  expect(
    check({ 'storage-driver': 'overlay2', 'default-runtime': 'mine', runtimes: { mine: { path: '/x' } } }),
  ).toEqual([]);
});

test('a driver that nobody provides is refused where it was named', () => {
  expect(check({ 'storage-driver': 'zfs', 'default-runtime': 'mine' })).toEqual([
    { where: '--storage-driver', message: 'driver not supported: zfs; known are: overlay2' },
    {
      where: 'daemon.json (/default-runtime)',
      message: expect.stringContaining("default runtime 'mine' does not exist"),
    },
  ]);
});

test('defaults are not judged, so that a daemon may run without images and containers', () => {
  expect(check({}, [])).toEqual([]);
});

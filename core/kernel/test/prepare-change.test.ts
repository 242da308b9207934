import { type Logger, type PluginDefinition, type Reconfigure, Runtime1 } from '@gantry/sdk';
import { DriverRegistry } from '../driver-registry';
import { prepareChange } from '../lifecycle/prepare-change';

const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log } as unknown as Logger;
const change = { settings: {} as never, changed: new Set(['runtimes']) };

function plugin(name: string, ...handlers: Reconfigure[]) {
  const definition = { name, provides: { fixed: Runtime1 }, alsoProvides: Runtime1 } as unknown as PluginDefinition;
  return { name, definition, config: { of: name }, handlers };
}

test('drivers under names of the configuration come and go with the commit; promised ones stay', async () => {
  const registry = new DriverRegistry();
  for (const key of ['fixed', 'old', 'kept']) registry.add(Runtime1, key, 'runtimes', `first ${key}`);
  registry.add(Runtime1, 'theirs', 'somebody', 'x');
  const drivers = { fixed: 'other', kept: 'second kept', fresh: 'fresh' };
  const made = await prepareChange([plugin('runtimes', () => ({ commit() {}, drivers }))], change, { registry, log });
  const names = () => registry.all(Runtime1).names();
  expect(names()).toEqual(['fixed', 'kept', 'old', 'theirs']);
  made.commit();
  expect(names()).toEqual(['fixed', 'fresh', 'kept', 'theirs']);
  expect(registry.all(Runtime1).get('fixed')).toBe('first fixed');
  expect(registry.all(Runtime1).get('kept')).toBe('second kept');
});

test('a driver of somebody else is not taken', async () => {
  const registry = new DriverRegistry();
  registry.add(Runtime1, 'theirs', 'somebody', 'x');
  const greedy = plugin('greedy', () => ({ commit() {}, drivers: { theirs: 'mine' } }));
  await expect(prepareChange([greedy], change, { registry, log })).rejects.toThrow('provided by "somebody"');
});

test('a refusal names the plugin, and the others give back what they prepared, last first', async () => {
  const said: string[] = [];
  const good =
    (name: string): Reconfigure =>
    () => ({ commit() {}, rollback: () => void said.push(name) });
  const plugins = [
    plugin('a', good('a')),
    plugin('b', good('b1'), good('b2')),
    plugin('c', () => Promise.reject('no')),
  ];
  await expect(prepareChange(plugins, change, { registry: new DriverRegistry(), log })).rejects.toThrow(
    'plugin "c": no',
  );
  expect(said).toEqual(['b2', 'b1', 'a']);
});

test('every plugin gets its own section', async () => {
  const seen: unknown[] = [];
  const look: Reconfigure = ({ config }) => {
    seen.push(config);
    return undefined;
  };
  await prepareChange([plugin('a', look), plugin('b', look)], change, { registry: new DriverRegistry(), log });
  expect(seen).toEqual([{ of: 'a' }, { of: 'b' }]);
});

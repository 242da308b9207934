import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Capability,
  capability,
  type DaemonSettings,
  type DriverSet,
  definePlugin,
  integer,
  type Logger,
  object,
  type PluginDefinition,
} from '@gantry/sdk';
import { DriverRegistry } from '../driver-registry';
import { planPlugins } from '../lifecycle/plan-plugins';
import { PluginHost } from '../lifecycle/plugin-host';

const Store1 = capability<{ readonly owner: string }>('store/v1');
const Driver1 = capability<{ readonly owner: string }>('driver/v1', 'many');
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

let root: string;
let said: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gantry-host-'));
  said = [];
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const say = (what: string) => {
  said.push(what);
};
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A plugin that says when it starts, gets ready and stops. */
function plugin(
  name: string,
  more: {
    provides?: Record<string, Capability<any>>;
    requires?: PluginDefinition['requires'];
    start?: () => unknown;
    ready?: () => void;
    startTimeoutMs?: number;
  } = {},
): PluginDefinition {
  return definePlugin<any, any, any>({
    name,
    version: '1.0.0',
    engine: '^0.1.0',
    provides: more.provides ?? {},
    requires: more.requires ?? {},
    startTimeoutMs: more.startTimeoutMs,
    async start({ onStop }) {
      say(`start ${name}`);
      onStop(() => say(`stop ${name}`));
      await more.start?.();
      say(`started ${name}`);
      return Object.fromEntries(Object.keys(more.provides ?? {}).map((key) => [key, { owner: name }]));
    },
    ready: () => {
      say(`ready ${name}`);
      more.ready?.();
    },
  });
}

function plan(
  definitions: readonly PluginDefinition[],
  optional: readonly string[] = [],
  configs: Record<string, unknown> = {},
) {
  const plugins = definitions.map((definition) => ({
    name: definition.name,
    definition,
    config: configs[definition.name],
    optional: optional.includes(definition.name),
    origin: 'bundled' as const,
  }));
  const planned = planPlugins({ plugins, sockets: [], skipped: [], problems: [] }, new Set());
  if ('problems' in planned) throw new Error(planned.problems.map((p) => `${p.pointer} ${p.message}`).join('\n'));
  return planned.plan;
}

function host(registry = new DriverRegistry()): PluginHost {
  const settings = { dataRoot: join(root, 'data'), execRoot: join(root, 'run') } as DaemonSettings;
  return new PluginHost({ registry, settings, log: silent });
}

test('plugins without needs start side by side, dependents after what they need', async () => {
  const it = host();
  await it.start(
    plan([
      plugin('app', { requires: { store: Store1 } }),
      plugin('store', { provides: { store: Store1 }, start: () => sleep(30) }),
      plugin('other', { start: () => sleep(30) }),
    ]),
  );
  expect(said.slice(0, 2).sort()).toEqual(['start other', 'start store']);
  expect(said.indexOf('start app')).toBeGreaterThan(said.indexOf('started store'));
});

test('ready runs in dependency order, stop in reverse', async () => {
  const it = host();
  await it.start(
    plan([plugin('app', { requires: { store: Store1 } }), plugin('store', { provides: { store: Store1 } })]),
  );
  await it.ready();
  await it.stop(1000);
  expect(said).toEqual([
    'start store',
    'started store',
    'start app',
    'started app',
    'ready store',
    'ready app',
    'stop app',
    'stop store',
  ]);
});

test('when one fails, all that started are undone, and the error names it by its path', async () => {
  const it = host();
  const failing = plugin('app', {
    requires: { store: Store1 },
    start: () => {
      throw new Error('no disk');
    },
  });
  await expect(it.start(plan([failing, plugin('store', { provides: { store: Store1 } })]))).rejects.toMatchObject({
    problems: [{ pointer: '/plugins/app', message: 'plugin "app" did not start: no disk' }],
  });
  expect(said.slice(-2)).toEqual(['stop app', 'stop store']);
});

test('an optional plugin that fails is skipped with its reason, and its drivers are not there', async () => {
  const registry = new DriverRegistry();
  const it = host(registry);
  const failing = plugin('a', {
    provides: { x: Driver1 },
    start: () => {
      throw new Error('no such device');
    },
  });
  await it.start(plan([failing, plugin('b', { provides: { y: Driver1 } })], ['a']));
  expect(it.report().skipped).toEqual([{ name: 'a', reason: 'no such device' }]);
  expect(registry.all(Driver1).names()).toEqual(['y']);
});

test('a start that hangs ends at its deadline, and what it acquires later is given back', async () => {
  const it = host();
  const hanging = definePlugin<any, any, any>({
    name: 'slow',
    version: '1.0.0',
    engine: '^0.1.0',
    provides: {},
    startTimeoutMs: 30,
    async start({ onStop }) {
      await sleep(80);
      onStop(() => say('given back'));
      return {};
    },
  });
  await expect(it.start(plan([hanging]))).rejects.toThrow(/did not end within 30 ms/);
  await sleep(80);
  expect(said).toEqual(['given back']);
});

test('a stop that hangs is left behind at the deadline', async () => {
  const it = host();
  const stuck = definePlugin<any, any, any>({
    name: 'stuck',
    version: '1.0.0',
    engine: '^0.1.0',
    provides: {},
    start: ({ onStop }) => {
      onStop(() => new Promise(() => {}));
      return {};
    },
  });
  await it.start(plan([stuck]));
  await it.stop(50);
  expect(it.report().started).toEqual([]);
});

test('a driver set shows drivers as their plugins come and go', async () => {
  let drivers: DriverSet<{ readonly owner: string }> | undefined;
  const taker = definePlugin({
    name: 'taker',
    version: '1.0.0',
    engine: '^0.1.0',
    provides: {},
    requires: { drivers: { all: Driver1 } },
    start: ({ needs }) => {
      drivers = needs.drivers;
      return {};
    },
  });
  const it = host();
  await it.start(
    plan([taker, plugin('b', { provides: { two: Driver1 } }), plugin('a', { provides: { one: Driver1 } })]),
  );
  expect(drivers!.names()).toEqual(['one', 'two']);
  expect(drivers!.get('one')).toEqual({ owner: 'a' });
  await expect(drivers!.resolve('three')).rejects.toMatchObject({
    kind: 'not-found',
    message: 'plugin "three" not found',
  });
  await it.stop(1000);
  expect(drivers!.names()).toEqual([]);
});

test('every section is parsed before anything starts, and all problems are told', () => {
  const configured = (name: string) =>
    definePlugin({
      name,
      version: '1.0.0',
      engine: '^0.1.0',
      provides: {},
      config: object({ size: integer() }),
      start: () => ({}),
    });
  expect(() =>
    plan([configured('a'), configured('b'), plugin('c')], [], { a: { size: 'x' }, b: { sise: 1 }, c: { y: 1 } }),
  ).toThrow(
    /\/plugins\/a\/config\/size .*\/plugins\/b\/config\/sise .*"size".*\/plugins\/c\/config .*takes no configuration/s,
  );
  expect(said).toEqual([]);
});

test('a plugin that returns less than it promised does not start', async () => {
  const liar = definePlugin<any, any, any>({
    name: 'liar',
    version: '1.0.0',
    engine: '^0.1.0',
    provides: { x: Driver1 },
    start: () => ({}),
  });
  await expect(host().start(plan([liar]))).rejects.toThrow(/returned nothing for "x"/);
});

test('each plugin has directories of its own that only the daemon can enter', async () => {
  await host().start(plan([plugin('a')]));
  expect(statSync(join(root, 'data', 'a')).mode & 0o777).toBe(0o700);
  expect(statSync(join(root, 'run', 'a')).mode & 0o777).toBe(0o700);
});

test('drivers that only the configuration names are there beside those of the definition', async () => {
  const registry = new DriverRegistry();
  const named: PluginDefinition = {
    ...plugin('a', { provides: { x: Driver1 } }),
    alsoProvides: Driver1,
    start: () => ({ x: {}, mine: {}, other: {} }),
  };
  await host(registry).start(plan([named]));
  expect(registry.all(Driver1).names()).toEqual(['mine', 'other', 'x']);
  const rival: PluginDefinition = { ...named, name: 'b', provides: {}, start: () => ({ mine: {} }) };
  await expect(host(registry).start(plan([rival]))).rejects.toMatchObject({
    problems: [{ message: expect.stringContaining('named "mine" is provided by "a" as well') }],
  });
});

describe('an optional plugin that takes its time', () => {
  const gate = () => {
    let open!: () => void;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    return { open, opened };
  };

  test('holds up nobody, not even those who would use it, and joins when it is done', async () => {
    const { open, opened } = gate();
    const registry = new DriverRegistry();
    let lateStarts = 0;
    const settings = { dataRoot: join(root, 'data'), execRoot: join(root, 'run') } as DaemonSettings;
    const host = new PluginHost({ registry, settings, log: silent, onLateStart: () => lateStarts++ });
    const slow = plugin('slow', { provides: { far: Driver1 }, start: () => opened });
    const user = plugin('user', { requires: { drivers: { all: Driver1 } } });
    await host.start(plan([slow, user], ['slow']));
    await host.ready();
    expect(said).toEqual(expect.arrayContaining(['started user', 'ready user']));
    expect(said).not.toContain('started slow');
    open();
    while (lateStarts === 0) await sleep(5);
    expect(said).toEqual(expect.arrayContaining(['started slow', 'ready slow']));
    expect(registry.all(Driver1).names()).toEqual(['far']);
    await host.stop(1000);
    expect(said).toContain('stop slow');
    expect(registry.all(Driver1).names()).toEqual([]);
  });

  test('gives back what it has when the daemon stops meanwhile', async () => {
    const { open, opened } = gate();
    const it = host();
    await it.start(plan([plugin('slow', { start: () => opened })], ['slow']));
    await it.stop(1000);
    open();
    while (!said.includes('stop slow')) await sleep(5);
    expect(it.report().started).toEqual([]);
  });

  test('is skipped with its reason when its deadline passes', async () => {
    const it = host();
    const hanging = plugin('hanging', { start: () => new Promise(() => {}), startTimeoutMs: 400 });
    await it.start(plan([hanging], ['hanging']));
    while (it.report().skipped.length === 0) await sleep(5);
    expect(it.report().skipped).toMatchObject([{ name: 'hanging', reason: expect.stringContaining('400 ms') }]);
  });

  test('does not hold up the others by getting ready either', async () => {
    const never = plugin('never', { ready: () => new Promise(() => {}) as never });
    const it = host();
    await it.start(plan([never, plugin('user')], ['never']));
    await it.ready();
    expect(said).toContain('ready user');
    await it.stop(1000);
  });
});

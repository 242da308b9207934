import { EngineError, type EngineEvent, type EventBus, type Logger, unavailable, type VolumeDriver } from '@gantry/sdk';
import { referenceVolumeDriver } from '@gantry/sdk/conformance';
import { renderMethods, renderStates } from '../../commands/plugins-command';
import { Supervisor } from '../supervisor/supervisor';
import { watchedInstance } from '../watched-instance';

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

function supervised(driver: Partial<VolumeDriver>, breaker = { failures: 3, firstWaitMs: 40, longestWaitMs: 80 }) {
  const published: EngineEvent[] = [];
  const events = { publish: (event: EngineEvent) => void published.push(event) } as unknown as EventBus;
  const supervisor = new Supervisor({ events, log: silent, breaker });
  const instance = { ...referenceVolumeDriver(), ...driver };
  const watched = watchedInstance(instance, 'acme', 'volume-driver', supervisor.watchCall);
  return { supervisor, driver: watched, published };
}
const dead = async () => {
  throw unavailable('nobody listens');
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const settled = (work: Promise<unknown>) => work.catch((error: Error) => error);

test('a driver does what it does, and its calls are counted', async () => {
  const { supervisor, driver } = supervised({});
  supervisor.runs('acme', { door: 'in process', provides: ['volume-driver/v1 acme'] });
  await driver.create('data', {});
  await expect(driver.get('none')).rejects.toMatchObject({ kind: 'not-found' });
  expect(supervisor.states()).toMatchObject([
    { name: 'acme', state: 'running', calls: 2, failed: 1, inFlight: 0, lastError: 'no such volume: none' },
  ]);
});

test('a plugin that does not answer is left alone after a while, and callers are told at once', async () => {
  let asked = 0;
  const { supervisor, driver, published } = supervised({
    list: () => {
      asked++;
      return dead();
    },
  });
  for (let count = 0; count < 3; count++) await settled(driver.list());
  await expect(driver.list()).rejects.toThrow(/plugin "acme" does not answer.*volume-driver\.list.*nobody listens/);
  expect(asked).toBe(3);
  expect(supervisor.silent.map(({ name }) => name)).toEqual(['acme']);
  expect(published).toMatchObject([{ type: 'plugin', action: 'health_status: unhealthy', actor: { id: 'acme' } }]);
});

test('an answer that says no is an answer', async () => {
  const refusal = Object.assign(new EngineError('unavailable', 'the pool is full'), { status: 200 });
  const { supervisor, driver } = supervised({ list: () => Promise.reject(refusal) });
  for (let count = 0; count < 9; count++) await expect(driver.list()).rejects.toBe(refusal);
  expect(supervisor.silent).toEqual([]);
});

test('a plugin that is back is found by asking, without a caller who tries his luck', async () => {
  let back = false;
  const { supervisor, driver, published } = supervised({ list: () => (back ? Promise.resolve([]) : dead()) });
  supervisor.runs('acme', { door: 'socket', provides: [] }, async () => (back ? undefined : dead()));
  for (let count = 0; count < 3; count++) await settled(driver.list());
  expect(supervisor.silent).toHaveLength(1);
  back = true;
  for (let tries = 0; supervisor.silent.length > 0 && tries < 200; tries++) await pause(10);
  expect(await driver.list()).toEqual([]);
  expect(published.map(({ action }) => action)).toEqual(['health_status: unhealthy', 'health_status: healthy']);
});

test('no more than 64 calls run at the same time; the others have their turn', async () => {
  let running = 0;
  let most = 0;
  const { driver } = supervised({
    list: async () => {
      most = Math.max(most, ++running);
      await pause(2);
      running--;
      return [];
    },
  });
  await Promise.all(Array.from({ length: 300 }, () => driver.list()));
  expect(most).toBe(64);
});

test('who hangs costs those who wait for it, and is given up at its deadline', async () => {
  const { supervisor, driver } = supervised({ list: () => new Promise(() => {}) });
  const plugin = supervisor.of('acme');
  const hanging = settled(driver.list());
  expect(plugin.inFlight).toBe(1);
  const now = performance.now();
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => now + 62_000);
  try {
    expect(await hanging).toMatchObject({ kind: 'deadline', message: expect.stringContaining('"acme"') });
  } finally {
    clock.mockRestore();
  }
  expect(plugin.inFlight).toBe(0);
});

test('draining waits for the calls under way', async () => {
  const { supervisor, driver } = supervised({ list: () => pause(30).then(() => []) });
  const call = driver.list();
  expect(await supervisor.of('acme').drain(1)).toBe(1);
  expect(await supervisor.of('acme').drain(5000)).toBe(0);
  await call;
});

test('methods that return no promise are left as they are', () => {
  const { supervisor } = supervised({});
  const log = watchedInstance({ validate: () => 7 }, 'acme', 'log-driver', supervisor.watchCall);
  expect(log.validate()).toBe(7);
});

test('a person can read the table', () => {
  const { supervisor } = supervised({});
  supervisor.runs('acme', { door: 'socket', provides: ['volume-driver/v1 acme'] });
  supervisor.isSkipped('other', 'no such device');
  const table = renderStates(supervisor.states());
  expect(table).toMatch(/^PLUGIN +DOOR +STATE +SINCE +CALLS +FAILED +IN FLIGHT +SLOWEST +RESTARTS +PROVIDES\n/);
  expect(table).toMatch(/\nacme +socket +running +0 s +0 +0 +0 +- +0 +volume-driver\/v1 acme\n/);
  expect(table).toContain('\n\nother is skipped: no such device\n');
  const call = supervisor.watchCall('acme', 'volume-driver.create')!;
  call.ended();
  supervisor.watchCall('acme', 'volume-driver.create')!.ended(new Error('no'));
  expect(renderMethods(supervisor.states())).toMatch(
    /^PLUGIN +METHOD +CALLS +FAILED +MEAN +SLOWEST\nacme +volume-driver\.create +2 +1 +[\d.]+ ms +\d+ ms\n$/,
  );
});

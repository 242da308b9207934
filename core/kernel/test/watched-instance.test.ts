import { allWatchers, type CallWatcher, watchedInstance } from '../watched-instance';

class Base {
  #secret = 1;
  greet(name: string): string {
    return `${name} ${this.#secret++}`;
  }
  get size(): number {
    return this.#secret;
  }
}
class Driver extends Base {
  readonly label = 'x';
  optional?: () => void;
  async create(): Promise<string> {
    return 'made';
  }
  async fail(): Promise<void> {
    throw new Error('no');
  }
  throwNow(): void {
    throw new Error('now');
  }
}

function recorder(): { watch: CallWatcher; calls: string[] } {
  const calls: string[] = [];
  return {
    calls,
    watch: (plugin, method) => ({
      ended: (failure) => calls.push(`${plugin} ${method}${failure ? ` ${(failure as Error).message}` : ''}`),
    }),
  };
}

test('calls go to the instance, and are told when they end, failures too', async () => {
  const { watch, calls } = recorder();
  const driver = watchedInstance(new Driver(), 'acme', 'volume-driver', watch);
  expect(driver.greet('hi')).toBe('hi 1');
  expect(driver.size).toBe(2);
  expect(driver.label).toBe('x');
  expect(driver.optional).toBeUndefined();
  expect(driver).toBeInstanceOf(Driver);
  expect(await driver.create()).toBe('made');
  await expect(driver.fail()).rejects.toThrow('no');
  expect(() => driver.throwNow()).toThrow('now');
  expect(calls).toEqual([
    'acme volume-driver.greet',
    'acme volume-driver.create',
    'acme volume-driver.fail no',
    'acme volume-driver.throwNow now',
  ]);
});

test('frozen objects of functions can be watched', () => {
  const { watch, calls } = recorder();
  const driver = watchedInstance(Object.freeze({ one: () => 1 }), 'acme', 'k', watch);
  expect(driver.one()).toBe(1);
  expect(calls).toEqual(['acme k.one']);
});

test('several watchers are one, none is none', () => {
  const [a, b] = [recorder(), recorder()];
  const around: string[] = [];
  const outer: CallWatcher = () => ({
    run: (work) => {
      around.push('in');
      return work();
    },
    ended: () => around.push('out'),
  });
  const watch = allWatchers([a.watch, undefined, b.watch, outer, () => undefined]);
  expect(watchedInstance({ m: () => 7 }, 'p', 'k', watch!).m()).toBe(7);
  expect([a.calls, b.calls, around]).toEqual([['p k.m'], ['p k.m'], ['in', 'out']]);
  expect(allWatchers([undefined])).toBeUndefined();
});

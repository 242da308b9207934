import type { InjectionToken } from 'tsyringe';
import { composeDaemon, tokens } from '../compose';
import { toDaemonSettings } from '../config/daemon-settings';
import { type ConfigValues, knownKeys } from '../config/known-keys';
import { createLog } from '../log/create-logger';

function compose() {
  const values = Object.fromEntries(
    Object.entries(knownKeys).map(([name, key]) => [name, key.fallback]),
  ) as ConfigValues;
  const configuration = { values, file: undefined, origins: new Map(), where: String };
  return composeDaemon({
    configuration,
    settings: toDaemonSettings(values, 'test'),
    log: createLog('text', 'fatal', () => {}),
  });
}

test('every part is registered once and is the same whenever it is asked for', () => {
  const parts = compose();
  const all = Object.values(tokens) as InjectionToken<unknown>[];
  expect(new Set(all).size).toBe(all.length);
  for (const token of all) {
    expect(parts.resolve(token)).toBe(parts.resolve(token));
    expect(parts.resolveAll(token)).toHaveLength(1);
  }
});

test('two daemons share no part', () => {
  const [one, two] = [compose(), compose()];
  expect(one.resolve(tokens.drivers)).not.toBe(two.resolve(tokens.drivers));
});

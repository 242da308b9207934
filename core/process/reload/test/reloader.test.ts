import { type AuthorizationPlugin, type EngineEvent, type EventBus, notFound } from '@gantry/sdk';
import { AuthorizationChain } from '../../../authz/authorization-chain';
import { toDaemonSettings } from '../../../config/daemon-settings';
import { type ConfigValues, knownKeys } from '../../../config/known-keys';
import { ConfigurationError } from '../../../config/problem';
import { createLog } from '../../../log/create-logger';
import { authorizationParticipant } from '../authorization-participant';
import type { ReloadParticipant } from '../participant';
import { Reloader } from '../reloader';

const defaults = Object.fromEntries(
  Object.entries(knownKeys).map(([name, key]) => [name, key.fallback]),
) as ConfigValues;

function running(...participants: ReloadParticipant[]) {
  const lines: string[] = [];
  const published: EngineEvent[] = [];
  const events: EventBus = { publish: (event) => published.push(event), subscribe: () => () => {} };
  const log = createLog('text', 'info', (line) => lines.push(line));
  const settings = toDaemonSettings(defaults, 'engine');
  const chain = new AuthorizationChain([], {
    find: async (name) => {
      if (name === 'missing') throw notFound('plugin "missing" not found');
      return {} as AuthorizationPlugin;
    },
    log,
  });
  let origins = new Map<string, 'file'>();
  let next: () => ConfigValues = () => defaults;
  const reloader = new Reloader(defaults, {
    read: () => ({ values: next(), file: undefined, origins, where: String }),
    settings,
    settingsOf: (values) => toDaemonSettings(values, 'engine'),
    participants: [authorizationParticipant(chain), ...participants],
    events,
    log,
  });
  const reload = async (values: () => ConfigValues, ...written: string[]) => {
    next = values;
    origins = new Map(written.map((name) => [name, 'file' as const]));
    return reloader.reload();
  };
  return { chain, lines, published, log, settings, reload };
}

test('what can change live changes, and an event tells the new values', async () => {
  const { log, settings, published, reload } = running();
  await reload(() => ({ ...defaults, debug: true, labels: ['rack=7'] }));
  expect(log.level()).toBe('debug');
  expect(settings).toMatchObject({ debug: true, labels: ['rack=7'] });
  expect(published).toEqual([
    expect.objectContaining({
      type: 'daemon',
      action: 'reload',
      actor: { id: 'engine', attributes: expect.objectContaining({ debug: 'true', labels: '["rack=7"]' }) },
    }),
  ]);
});

test('what needs a restart is named every time and changes nothing', async () => {
  const { lines, settings, reload } = running();
  for (let i = 0; i < 2; i++) await reload(() => ({ ...defaults, mtu: 1400 }));
  expect(lines.filter((line) => line.includes('\\"mtu\\"') && line.includes('needs a restart'))).toHaveLength(2);
  expect(settings.mtu).toBe(0);
});

test('a bad file changes nothing and says why', async () => {
  const { lines, log, published, reload } = running();
  await reload(() => {
    throw new ConfigurationError([{ where: 'daemon.json:1:2 (/mtu)', message: 'expected an integer' }]);
  });
  expect(lines.join('')).toContain('configuration not reloaded: daemon.json:1:2 (/mtu): expected an integer');
  expect(log.level()).toBe('info');
  expect(published).toEqual([]);
});

test('the outcome names what changed, what waits for a restart, or what is wrong', async () => {
  const { reload } = running();
  expect(await reload(() => ({ ...defaults, mtu: 1400, 'registry-mirrors': ['http://m/'] }))).toMatchObject({
    applied: ['registry-mirrors'],
    needRestart: ['mtu'],
    problems: [],
  });
  const bad = await reload(() => {
    throw new ConfigurationError([{ where: 'daemon.json', message: 'cannot be read' }]);
  });
  expect(bad).toMatchObject({ applied: [], needRestart: [], problems: ['daemon.json: cannot be read'] });
});

describe('a part that takes over changes', () => {
  function part(name: string, said: string[], refuses = false): ReloadParticipant {
    return {
      prepare({ changed, settings }) {
        said.push(`${name} prepares ${[...changed]} for ${settings.maxConcurrentDownloads}`);
        if (refuses) throw new Error(`${name} cannot`);
        return { commit: () => said.push(`${name} commits`), rollback: () => void said.push(`${name} gives up`) };
      },
    };
  }
  const key = 'max-concurrent-downloads';

  test('prepares first, and commits when all others have prepared too', async () => {
    const said: string[] = [];
    const { reload } = running(part('one', said), part('two', said));
    await reload(() => ({ ...defaults, [key]: 9 }));
    expect(said).toEqual([`one prepares ${key} for 9`, `two prepares ${key} for 9`, 'one commits', 'two commits']);
  });

  test('sees nothing in force when a later one refuses', async () => {
    const said: string[] = [];
    const { reload, settings, log, published } = running(part('one', said), part('two', said, true));
    expect(await reload(() => ({ ...defaults, [key]: 9, debug: true }))).toMatchObject({ problems: ['two cannot'] });
    expect(said.at(-1)).toBe('one gives up');
    expect([settings.maxConcurrentDownloads, log.level(), published]).toEqual([3, 'info', []]);
  });

  test('may fail to commit without taking the others with it', async () => {
    const said: string[] = [];
    const broken: ReloadParticipant = {
      prepare: () => ({
        commit() {
          throw new Error('broken');
        },
      }),
    };
    const { reload, lines } = running(broken, part('two', said));
    await reload(() => ({ ...defaults, [key]: 9 }));
    expect(said.at(-1)).toBe('two commits');
    expect(lines.join('')).toContain('broken');
  });
});

describe('the chain of authorization plugins', () => {
  const key = 'authorization-plugins';
  const chained = (...names: string[]) => ({ ...defaults, [key]: names });

  test('is replaced, each name once, in order', async () => {
    const { chain, reload, published } = running();
    await reload(() => chained('b', 'a', 'b'), key);
    expect(chain.names).toEqual(['b', 'a']);
    expect(published[0]!.actor.attributes[key]).toBe('["b","a","b"]');
    await reload(() => chained(), key);
    expect(chain.names).toEqual([]);
  });

  test('stays when the configuration does not speak of it', async () => {
    const { chain, reload, published } = running();
    await reload(() => chained('a'), key);
    await reload(() => ({ ...defaults, debug: true }));
    expect(chain.names).toEqual(['a']);
    expect(published[1]!.actor.attributes[key]).toBe('["a"]');
  });

  test('stays, like everything else, when a new one cannot be found', async () => {
    const { chain, reload, lines, log } = running();
    await reload(() => chained('a'), key);
    await reload(() => ({ ...chained('a', 'missing'), debug: true }), key);
    expect(chain.names).toEqual(['a']);
    expect(log.level()).toBe('info');
    expect(lines.join('')).toContain('configuration not reloaded: failed to validate authorization plugin');
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EventBus } from '@gantry/sdk';
import { createLog } from '../../log/create-logger';
import type { ReloadParticipant } from '../../process/reload/participant';
import { Reloader } from '../../process/reload/reloader';
import { readCommandLine } from '../command-line';
import { toDaemonSettings } from '../daemon-settings';
import { helpText } from '../help-text';
import type { Key } from '../key';
import { compatibilityKeys } from '../keys/compatibility';
import { type ConfigValues, knownKeys } from '../known-keys';
import { ConfigurationError, type Problem } from '../problem';
import { type Configuration, readConfiguration } from '../read-configuration';
import { refusals } from '../refused-keys';

/** Keys × {right, wrong type, misspelt, conflict, reload}. A new key is in every column by being known. */
const rows = Object.entries(knownKeys).map(([name, spec]) => ({ name, spec }));
const withFlag = rows.filter(({ spec }) => spec.flag !== undefined);

/** Live keys whose holders are told by themselves, not by the settings of plugins. */
const heldElsewhere = [
  'log-level',
  'log-format',
  'authorization-plugins',
  'plugins',
  'plugin-directories',
  // Only one value of each is taken, or none has an effect.
  ...Object.keys(compatibilityKeys),
];

let folder: string;
let file: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-table-'));
  file = join(folder, 'daemon.json');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(content: unknown, ...flags: string[]): Configuration {
  writeFileSync(file, JSON.stringify(content));
  return readConfiguration(readCommandLine(['--config-file', file, ...flags]));
}

function problemsOf(content: unknown, ...flags: string[]): { problems: readonly Problem[]; exitCode: number } {
  try {
    read(content, ...flags);
  } catch (error) {
    if (error instanceof ConfigurationError) return { problems: error.problems, exitCode: error.exitCode };
    throw error;
  }
  return { problems: [], exitCode: 0 };
}

/** The example of a key as flags: from the example itself, or as the key says where that is not possible. */
function asFlags({ flag, example }: Key<unknown>): string[] {
  const { name, takes } = flag!;
  const texts =
    flag!.example ??
    (takes !== 'many'
      ? [String(example)]
      : Array.isArray(example)
        ? example.map(String)
        : Object.entries(example as object).map(([key, value]) => `${key}=${value}`));
  return texts.map((text) => `--${name}=${text}`);
}

const valueIn = ({ values }: Configuration, name: string) => (values as unknown as Record<string, unknown>)[name];
/** The last two letters change places; where they are the same one is doubled. */
const misspelt = (name: string) =>
  name.at(-1) === name.at(-2) ? name + name.at(-1) : name.slice(0, -2) + name.at(-1) + name.at(-2);
/** Nothing that any key takes. */
const wrongType = (spec: Key<unknown>) => (typeof spec.example === 'number' ? 'much' : 4.5);

describe.each(rows)('$name', ({ name, spec }) => {
  test('in the file is taken, and is not what it would be anyway', () => {
    const configuration = read({ [name]: spec.example });
    expect(configuration.origins.get(name)).toBe('file');
    expect(configuration.where(`/${name}`)).toBe(`${file}:1:2 (/${name})`);
    if (!['exec-opts', 'plugin-directories'].includes(name))
      expect(valueIn(configuration, name)).not.toEqual(spec.fallback);
  });

  test('of the wrong type is refused at its place, with an example', () => {
    const { problems, exitCode } = problemsOf({ [name]: wrongType(spec) });
    expect(exitCode).toBe(1);
    expect(problems).toEqual([
      {
        where: `${file}:1:2 (/${name})`,
        message: expect.stringContaining(`; for example ${JSON.stringify({ [name]: spec.example }).slice(1, -1)}`),
      },
    ]);
  });

  test('misspelt is refused at its place, and the right name is known', () => {
    const { problems } = problemsOf({ [misspelt(name)]: spec.example });
    expect(problems).toHaveLength(1);
    expect(problems[0]!.where).toBe(`${file}:1:2 (/${misspelt(name)})`);
    // Three letters leave too little to guess by.
    if (name.length > 3) expect(problems[0]!.message).toMatch(/did you mean "[a-z0-9-]+"\?|is the name of a flag/);
  });

  test(`in another file is ${spec.reload === 'live' ? 'in force after a reload' : 'named as needing a restart'}`, async () => {
    const before = read({});
    const settingsOf = (values: ConfigValues) => toDaemonSettings(values, 'engine');
    const settings = settingsOf(before.values);
    const seen: string[] = [];
    const witness: ReloadParticipant = { prepare: ({ changed }) => void seen.push(...changed) };
    const wanted = read({ [name]: spec.example });
    const reloader = new Reloader(before.values, {
      read: () => wanted,
      settings,
      settingsOf,
      participants: [witness],
      events: { publish() {}, subscribe: () => () => {} } as EventBus,
      log: createLog('text', 'fatal', () => {}),
    });
    const outcome = await reloader.reload();
    const isSame = ['exec-opts', 'plugin-directories'].includes(name);
    if (isSame) return;
    if (spec.reload === 'restart') {
      expect(outcome).toMatchObject({ applied: [], needRestart: [name], problems: [] });
      expect([seen, settings]).toEqual([[], settingsOf(before.values)]);
      return;
    }
    expect(outcome).toMatchObject({ applied: [name], needRestart: [], problems: [] });
    expect(seen).toEqual([name]);
    if (!heldElsewhere.includes(name)) expect(settings).not.toEqual(settingsOf(before.values));
  });
});

describe.each(withFlag)('--$spec.flag.name', ({ name, spec }) => {
  const flag = spec.flag!;

  test('means the same as in the file', () => {
    const given = read({}, ...asFlags(spec));
    expect(given.origins.get(name)).toBe('flag');
    expect(valueIn(given, name)).toEqual(valueIn(read({ [name]: spec.example }), name));
  });

  test('beside the key in the file is a conflict that shows both, unless they are taken together', () => {
    const { problems } = problemsOf({ [name]: spec.example }, ...asFlags(spec));
    if (spec.merges) expect(problems).toEqual([]);
    else
      expect(problems).toEqual([
        {
          where: expect.stringContaining(`(/${name})`),
          message: expect.stringContaining(
            `specified both as a flag and in the configuration file: ${name}: (from flag: `,
          ),
        },
      ]);
  });

  test('misspelt ends with 125', () => {
    const { problems, exitCode } = problemsOf({}, `--${misspelt(flag.name)}=x`);
    expect([exitCode, problems.length]).toEqual([125, 1]);
    expect(problems[0]!.message).toContain(`unknown flag: --${misspelt(flag.name)}`);
  });

  test('as a key of the file leads to the right key', () => {
    if (flag.name === name) return;
    expect(problemsOf({ [flag.name]: spec.example }).problems[0]!.message).toContain(`"${name}"`);
  });

  test('with a text that is no value is refused, naming flag and text', () => {
    const bad = flag.takes === 'switch' ? 'perhaps' : typeof spec.example === 'number' ? 'much' : undefined;
    if (bad === undefined) return;
    expect(problemsOf({}, `--${flag.name}=${bad}`)).toMatchObject({
      exitCode: 1,
      problems: [{ message: expect.stringContaining(`invalid argument "${bad}" for "--${flag.name}" flag`) }],
    });
  });

  test('is in the help', () => {
    expect(helpText()).toContain(`--${flag.name}`);
  });
});

describe.each(refusals.filter(({ keys, flags }) => keys.length + flags.length > 0))(
  'refused: $keys $flags',
  (refusal) => {
    test('by name and place with the reason; nothing asked for is nothing refused', () => {
      for (const key of refusal.keys) {
        expect(problemsOf({ [key]: 'x' }).problems).toEqual([
          { where: `${file}:1:2 (/${key})`, message: `"${key}" is not supported: ${refusal.reason}` },
        ]);
        expect(problemsOf({ [key]: false }).problems).toEqual([]);
      }
      for (const flag of refusal.flags)
        expect(problemsOf({}, `--${flag}=${refusal.takes === 'switch' ? 'true' : 'x'}`).problems).toEqual([
          { where: `--${flag}`, message: `not supported: ${refusal.reason}` },
        ]);
    });
  },
);

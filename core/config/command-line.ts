import { nearestKey } from '@gantry/sdk';
import { keyByFlag, knownKeys } from './known-keys';
import type { Problem } from './problem';
import { type Refusal, refusedFlag } from './refused-keys';

/** The command line, read but not judged: texts by key of daemon.json. */
export interface CommandLine {
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly configFile: string | undefined;
  readonly validate: boolean;
  readonly printConfig: boolean;
  readonly version: boolean;
  readonly help: boolean;
  readonly problems: readonly Problem[];
}

/** Flags that are no keys of daemon.json. */
export const ownFlags = {
  'config-file': { takes: 'one', about: 'Path of the configuration file', fallback: '/etc/docker/daemon.json' },
  validate: { takes: 'switch', about: 'Check the configuration and the plugins, then exit' },
  'print-config': {
    takes: 'switch',
    about: 'Check as --validate, print the effective configuration as JSON with the origin of each key, then exit',
  },
  version: { takes: 'switch', short: 'v', about: 'Print the version and exit' },
  help: { takes: 'switch', short: 'h', about: 'Print this text and exit' },
} as const satisfies Record<string, { takes: 'switch' | 'one'; short?: string; about: string; fallback?: string }>;

interface FlagShape {
  readonly name: string;
  readonly takesValue: boolean;
}

/** Reads arguments as pflag does: `--a=b`, `--a b`, `-a b`, `-ab`, `-Da`, `--`. Never throws. */
export function readCommandLine(args: readonly string[]): CommandLine {
  const given = new Map<string, string[]>();
  const problems: Problem[] = [];
  const keep = (name: string, text: string) => {
    const texts = given.get(name);
    if (texts) texts.push(text);
    else given.set(name, [text]);
  };
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      problems.push(...rest.map(strayWord));
      break;
    }
    if (word.startsWith('--')) {
      const at = word.indexOf('=');
      const name = at < 0 ? word.slice(2) : word.slice(2, at);
      const shape = longFlag(name);
      if (shape === undefined) {
        const near = nearestKey(name, allFlagNames());
        problems.push({ where: '', message: `unknown flag: --${name}${near ? `; did you mean --${near}?` : ''}` });
      } else if (at >= 0) keep(name, word.slice(at + 1));
      else if (!shape.takesValue) keep(name, 'true');
      else if (rest.length === 0) problems.push({ where: '', message: `flag needs an argument: --${name}` });
      else keep(name, rest.shift()!);
    } else if (word.startsWith('-') && word !== '-') readCluster(word, rest, keep, problems);
    else problems.push(strayWord(word));
  }
  const own = (name: keyof typeof ownFlags) => given.get(name)?.at(-1);
  const texts = new Map<string, readonly string[]>();
  for (const [name, values] of given) {
    const key = keyByFlag.get(name);
    const refusal = refusedFlag(name);
    if (key !== undefined) texts.set(key, values);
    else if (refusal !== undefined && !values.every((text) => text === '' || isOff(refusal, text)))
      problems.push({ where: `--${name}`, message: `not supported: ${refusal.reason}` });
  }
  return {
    texts,
    configFile: own('config-file'),
    validate: isOn(own('validate')),
    printConfig: isOn(own('print-config')),
    version: isOn(own('version')),
    help: isOn(own('help')),
    problems,
  };
}

const isOff = (refusal: Refusal, text: string) => refusal.takes === 'switch' && /^(0|f|false)$/i.test(text);

const isOn = (text: string | undefined) => text !== undefined && /^(1|t|true)$/i.test(text);

const strayWord = (word: string): Problem => ({
  where: '',
  message: `"gantryd" accepts no arguments, got "${word}"`,
});

/** `-D`, `-Dl debug`, `-ldebug`, `-l=debug`. */
function readCluster(
  word: string,
  rest: string[],
  keep: (name: string, text: string) => void,
  problems: Problem[],
): void {
  for (let at = 1; at < word.length; at++) {
    const shape = shortFlag(word[at]!);
    if (shape === undefined) {
      problems.push({ where: '', message: `unknown shorthand flag: '${word[at]}' in ${word}` });
      return;
    }
    const tail = word.slice(at + 1);
    if (tail.startsWith('=')) {
      keep(shape.name, tail.slice(1));
      return;
    }
    if (!shape.takesValue) {
      keep(shape.name, 'true');
      continue;
    }
    if (tail !== '') keep(shape.name, tail);
    else if (rest.length === 0)
      problems.push({ where: '', message: `flag needs an argument: '${word[at]}' in ${word}` });
    else keep(shape.name, rest.shift()!);
    return;
  }
}

function longFlag(name: string): FlagShape | undefined {
  if (Object.hasOwn(ownFlags, name))
    return { name, takesValue: ownFlags[name as keyof typeof ownFlags].takes === 'one' };
  const flag = knownKeys[keyByFlag.get(name) ?? '']?.flag;
  if (flag !== undefined) return { name, takesValue: flag.takes !== 'switch' };
  const refusal = refusedFlag(name);
  return refusal && { name, takesValue: refusal.takes === 'one' };
}

function shortFlag(letter: string): FlagShape | undefined {
  for (const [name, flag] of Object.entries(ownFlags))
    if ('short' in flag && flag.short === letter) return longFlag(name);
  for (const spec of Object.values(knownKeys)) if (spec.flag?.short === letter) return longFlag(spec.flag.name);
  return undefined;
}

const allFlagNames = (): string[] => [...Object.keys(ownFlags), ...keyByFlag.keys()];

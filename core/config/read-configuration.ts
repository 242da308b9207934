import { readFileSync } from 'node:fs';
import { type ConfigProblem, escapePointer, nearestKey } from '@gantry/sdk';
import type { CommandLine } from './command-line';
import { parseJsonText } from './json-text';
import { type ConfigValues, keyByFlag, knownKeys } from './known-keys';
import { ConfigurationError, type Problem } from './problem';
import { asksForNothing, refusedKey } from './refused-keys';

export const defaultConfigFile = '/etc/docker/daemon.json';

/** The effective configuration, and where each part of it was written. */
export interface Configuration {
  readonly values: ConfigValues;
  /** The file that was read; undefined when the default one does not exist. */
  readonly file: string | undefined;
  /** Where each key came from. Absent keys have their default. */
  readonly origins: ReadonlyMap<string, 'file' | 'flag' | 'file and flag'>;
  /** `daemon.json:3:5 (/plugins/x)`: the place of a JSON Pointer for messages. */
  where(pointer: string): string;
}

interface FileContent {
  readonly path: string | undefined;
  readonly value: Readonly<Record<string, unknown>>;
  where(pointer: string): string;
}

/**
 * Reads daemon.json and merges it with the flags by presence.
 *
 * @throws ConfigurationError<Configuration>  every problem of file and flags at once
 */
export function readConfiguration(line: CommandLine): Configuration {
  const problems: Problem[] = [...line.problems];
  const file = readFile(line.configFile, problems);
  problems.push(...unknownKeys(file), ...conflicts(file, line));

  const values: Record<string, unknown> = {};
  const origins = new Map<string, 'file' | 'flag' | 'file and flag'>();
  for (const [name, spec] of Object.entries(knownKeys)) {
    values[name] = spec.fallback;
    const pointer = `/${name}`;
    // As for dockerd, null is absent.
    if (Object.hasOwn(file.value, name) && file.value[name] !== null) {
      const result = spec.schema.parse(file.value[name], pointer);
      if (result.ok) values[name] = result.value;
      else {
        const hint = `; for example ${JSON.stringify({ [name]: spec.example }).slice(1, -1)}`;
        for (const { pointer: at, message } of result.problems)
          problems.push({ where: file.where(at), message: at === pointer ? message + hint : message });
        // The sound members are kept, so that a judge of the plugin set sees more than the first mistake.
        const rest = spec.schema.parse(withoutMembers(file.value[name], pointer, result.problems), pointer);
        if (rest.ok) values[name] = rest.value;
      }
      origins.set(name, 'file');
    }
    const texts = line.texts.get(name);
    if (texts === undefined || spec.flag === undefined) continue;
    try {
      const result = spec.schema.parse(spec.flag.toJson(texts), '');
      if (result.ok)
        values[name] =
          spec.merges && origins.has(name) ? { ...(values[name] as object), ...result.value } : result.value;
      else for (const problem of result.problems) problems.push(flagProblem(spec.flag.name, texts, problem.message));
    } catch (error) {
      problems.push(flagProblem(spec.flag.name, texts, (error as Error).message));
    }
    origins.set(name, origins.has(name) ? 'file and flag' : 'flag');
  }
  const configuration = { values: values as ConfigValues, file: file.path, origins, where: file.where };
  if (problems.length > 0)
    throw new ConfigurationError<Configuration>(problems, line.problems.length > 0 ? 125 : 1, configuration);
  return configuration;
}

/** A sentence for each key that was given, is taken, and changes nothing. */
export function keysWithoutEffect({ values, origins }: Pick<Configuration, 'values' | 'origins'>): string[] {
  return Object.entries(knownKeys).flatMap(([name, { noEffect, fallback }]) => {
    const isGiven = origins.has(name) && values[name as keyof ConfigValues] !== fallback;
    return noEffect !== undefined && isGiven ? [`"${name}" has no effect: ${noEffect}`] : [];
  });
}

/** An object without the members that have problems; anything else as it is. */
function withoutMembers(value: unknown, pointer: string, problems: readonly ConfigProblem[]): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const bad = (member: string) => `${pointer}/${escapePointer(member)}`;
  return Object.fromEntries(
    Object.entries(value).filter(
      ([member]) => !problems.some((p) => p.pointer === bad(member) || p.pointer.startsWith(`${bad(member)}/`)),
    ),
  );
}

function readFile(named: string | undefined, problems: Problem[]): FileContent {
  const path = named ?? defaultConfigFile;
  const empty = { path: undefined, value: {}, where: (pointer: string) => `${path} (${pointer})` };
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (named === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return empty;
    problems.push({ where: path, message: `cannot be read: ${(error as Error).message}` });
    return empty;
  }
  const json = parseJsonText(text);
  const place = ({ line, column }: { line: number; column: number }, pointer: string) =>
    `${path}:${line}:${column}${pointer === '' ? '' : ` (${pointer})`}`;
  for (const problem of json.problems)
    problems.push({ where: place(json.position(problem.offset), problem.pointer), message: problem.message });
  const where = (pointer: string) => place(json.locate(pointer), pointer);
  if (json.value === undefined) return { ...empty, where };
  if (typeof json.value !== 'object' || json.value === null || Array.isArray(json.value)) {
    problems.push({ where: where(''), message: 'expected an object' });
    return { ...empty, where };
  }
  return { path, value: json.value as Record<string, unknown>, where };
}

function unknownKeys(file: FileContent): Problem[] {
  return Object.keys(file.value)
    .filter((name) => !Object.hasOwn(knownKeys, name))
    .filter((name) => !(refusedKey(name) && asksForNothing(file.value[name])))
    .map((name) => {
      const where = file.where(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
      const refusal = refusedKey(name);
      if (refusal !== undefined) return { where, message: `"${name}" is not supported: ${refusal.reason}` };
      const meant = keyByFlag.get(name);
      if (meant !== undefined)
        return { where, message: `"${name}" is the name of a flag; the key in the file is "${meant}"` };
      const near = nearestKey(name, Object.keys(knownKeys));
      return {
        where,
        message: `the following directives don't match any configuration option: ${name}${near ? `; did you mean "${near}"?` : ''}`,
      };
    });
}

function conflicts(file: FileContent, line: CommandLine): Problem[] {
  const clashes = Object.keys(file.value).filter((name) => line.texts.has(name) && !knownKeys[name]?.merges);
  if (clashes.length === 0) return [];
  const parts = clashes.map(
    (name) =>
      `${name}: (from flag: ${listed(line.texts.get(name)!, name)}, from file: ${JSON.stringify(file.value[name])})`,
  );
  return [
    {
      where: file.where(`/${clashes[0]}`),
      message: `the following directives are specified both as a flag and in the configuration file: ${parts.join(', ')}`,
    },
  ];
}

const listed = (texts: readonly string[], name: string) =>
  knownKeys[name]?.flag?.takes === 'many' ? `[${texts.join(' ')}]` : texts.at(-1);

const flagProblem = (flag: string, texts: readonly string[], message: string): Problem => ({
  where: '',
  message: `invalid argument ${JSON.stringify(texts.join(','))} for "--${flag}" flag: ${message}`,
});

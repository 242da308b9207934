import { posix } from 'node:path';
import { assertNever, invalidParameter } from '@gantry/sdk';
import { durationText } from '../dockerfile/duration';
import { expandWord, expandWords, type Variables } from '../dockerfile/expand';
import type { CommandLine, Healthcheck, Instruction, InstructionKind, InstructionOf } from '../dockerfile/instructions';
import type { BuildDialect } from './dialect';
import { checkSignal } from './signals';
import { type StageState, shellOf, variablesOf } from './stage-state';

type MetadataKind = Exclude<InstructionKind, 'add' | 'copy' | 'run' | 'workdir'>;
export type MetadataInstruction = InstructionOf<MetadataKind>;

/** Whether an instruction only changes the image's configuration. */
export const isMetadata = (instruction: Instruction): instruction is Extract<Instruction, { kind: MetadataKind }> =>
  !['add', 'copy', 'run', 'workdir'].includes(instruction.kind);

/**
 * Applies an instruction that changes no file.
 *
 * @returns what the history says of it
 * @throws invalid-parameter
 */
export function applyMetadata(
  instruction: Extract<Instruction, { kind: MetadataKind }>,
  state: StageState,
  escapeChar: string,
  dialect: BuildDialect,
): string {
  const { config } = state;
  const variables = variablesOf(state);
  const expand = (word: string) => expandWord(word, variables, escapeChar);
  switch (instruction.kind) {
    case 'arg':
      return state.args.declare(instruction, variables, escapeChar, dialect.showsArgValues);
    case 'cmd':
      config.Cmd = words(instruction.command, state);
      if (instruction.command.words.length > 0) state.commandSet = true;
      if (dialect.escapesArgs) config.ArgsEscaped = true;
      return `CMD ${quoted(config.Cmd)}`;
    case 'entrypoint':
      config.Entrypoint = words(instruction.command, state);
      // The base image's command was meant for another program.
      if (!state.commandSet) config.Cmd = null;
      return `ENTRYPOINT ${quoted(config.Entrypoint)}`;
    case 'env': {
      // All values see the environment as it was before the instruction.
      const pairs = instruction.pairs.map(({ name, value }) => [expand(name), expand(value)] as const);
      config.Env = setVariables(config.Env ?? [], pairs);
      return `ENV${pairs.map(([name, value]) => ` ${name}=${value}`).join('')}`;
    }
    case 'label': {
      const text = instruction.literal ? (word: string) => word : expand;
      const pairs = instruction.pairs.map(({ name, value }) => [text(name), text(value)] as const);
      if (pairs.some(([name]) => name === '')) throw invalidParameter('LABEL names can not be blank');
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairs) };
      return `LABEL${pairs.map(([name, value]) => ` ${name}=${value}`).join('')}`;
    }
    case 'expose': {
      const ports = instruction.ports.toSorted().flatMap((port) => expandWords(port, variables, escapeChar));
      const each = ports.flatMap(exposed);
      config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(each) };
      return dialect.ports(
        ports,
        each.map(([port]) => port),
      );
    }
    case 'healthcheck':
      config.Healthcheck = instruction.health;
      return `HEALTHCHECK ${describeHealth(instruction.health)}`;
    case 'maintainer':
      state.author = instruction.name;
      return `MAINTAINER ${instruction.name}`;
    case 'onbuild':
      config.OnBuild = [...(config.OnBuild ?? []), instruction.trigger];
      return `ONBUILD ${instruction.trigger}`;
    case 'shell':
      config.Shell = instruction.words;
      return `SHELL [${instruction.words.join(' ')}]`;
    case 'stopsignal': {
      const signal = expand(instruction.signal);
      checkSignal(signal);
      config.StopSignal = signal;
      return `STOPSIGNAL ${signal}`;
    }
    case 'user':
      config.User = expand(instruction.user);
      return `USER ${config.User}`;
    case 'volume': {
      const paths = instruction.paths.map((path) => expand(path).trim());
      if (paths.includes('')) throw invalidParameter('VOLUME specified can not be an empty string');
      config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) };
      return `VOLUME [${paths.join(' ')}]`;
    }
    default:
      return assertNever(instruction);
  }
}

/** The directory WORKDIR means, relative ones counted from the one before. @throws invalid-parameter */
export function nextWorkingDirectory(
  path: string,
  state: StageState,
  variables: Variables,
  escapeChar: string,
): string {
  const wanted = expandWord(path, variables, escapeChar);
  if (wanted === '') throw invalidParameter('WORKDIR requires exactly one argument: the path is empty');
  return posix.resolve('/', state.config.WorkingDir ?? '/', wanted);
}

function words({ form, words: given }: CommandLine, { config }: StageState): readonly string[] {
  if (form === 'exec') return given;
  return [...shellOf(config), ...given];
}

function setVariables(environment: readonly string[], pairs: readonly (readonly [string, string])[]): string[] {
  const next = [...environment];
  for (const [name, value] of pairs) {
    if (name === '') throw invalidParameter('ENV names can not be blank');
    const at = next.findIndex((entry) => entry.split('=', 1)[0] === name);
    if (at < 0) next.push(`${name}=${value}`);
    else next[at] = `${name}=${value}`;
  }
  return next;
}

/** `80`, `80/udp`, `8000-8010`, and with a host part, which is dropped. */
function exposed(text: string): [string, object][] {
  const [range = '', proto = 'tcp'] = text.split('/', 2);
  const container = range.split(':').at(-1)!;
  if (!['tcp', 'udp', 'sctp'].includes(proto.toLowerCase())) throw invalidParameter(`invalid proto: ${proto}`);
  const match = /^(\d+)(?:-(\d+))?$/.exec(container);
  const start = Number(match?.[1]);
  const end = Number(match?.[2] ?? match?.[1]);
  if (match === null || start > 65535 || end > 65535 || end < start)
    throw invalidParameter(`invalid containerPort: ${container}`);
  return Array.from({ length: end - start + 1 }, (_, index) => [`${start + index}/${proto.toLowerCase()}`, {}]);
}

/** As the classic builder's history has it: durations as text, the count of retries as a character. */
function describeHealth(health: Healthcheck): string {
  const { Test, Interval = 0, Timeout = 0, StartPeriod = 0, StartInterval = 0, Retries = 0 } = health;
  const times = [Interval, Timeout, StartPeriod, StartInterval].map((ns) => JSON.stringify(durationText(ns)));
  return `&{${quoted(Test)} ${times.join(' ')} ${quotedCharacter(Retries)}}`;
}

function quotedCharacter(code: number): string {
  const named = ['\\x00', '', '', '', '', '', '', '\\a', '\\b', '\\t', '\\n', '\\v', '\\f', '\\r'][code];
  if (named) return `'${named}'`;
  if (code < 32 || code === 127) return `'\\x${code.toString(16).padStart(2, '0')}'`;
  return code === 39 || code === 92 ? `'\\${String.fromCharCode(code)}'` : `'${String.fromCodePoint(code)}'`;
}

const quoted = (list: readonly string[] | null | undefined) =>
  `[${(list ?? []).map((word) => JSON.stringify(word)).join(' ')}]`;

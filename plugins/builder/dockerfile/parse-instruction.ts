import { invalidParameter, nearestKey } from '@gantry/sdk';
import { type FlagKind, type Flags, readFlags, takeFlags } from './flags';
import type { CommandLine, Instruction, InstructionBody, InstructionKind, Pair, Stage } from './instructions';
import { parseHealthcheck } from './parse-healthcheck';
import { parseMount } from './parse-mount';
import { parseTransfer } from './parse-transfer';
import type { SourceLine } from './source-lines';
import { jsonWords, splitWords } from './words';

/** What a parser of one kind of instruction gets. */
export interface Parts {
  readonly line: SourceLine;
  /** What follows the flags. */
  readonly rest: string;
  readonly escapeChar: string;
  readonly flags: Flags;
}

interface Parser<K extends InstructionKind> {
  readonly flags?: Readonly<Record<string, FlagKind>>;
  parse(parts: Parts): InstructionBody<K>;
}

const transferFlags = { chown: 'text', chmod: 'text', link: 'boolean', exclude: 'list' } as const;

const parsers: { readonly [K in InstructionKind]: Parser<K> } = {
  add: {
    flags: { ...transferFlags, checksum: 'text', 'keep-git-dir': 'boolean', unpack: 'boolean' },
    parse: (parts) => ({
      ...parseTransfer('ADD', parts),
      checksum: parts.flags.text('checksum'),
      keepGitDirectory: parts.flags.boolean('keep-git-dir'),
      unpack: parts.flags.text('unpack') === undefined ? undefined : parts.flags.boolean('unpack'),
    }),
  },
  arg: {
    parse({ rest, escapeChar }) {
      const words = splitWords(rest, escapeChar);
      if (words.length === 0) throw atLeastOne('ARG');
      return {
        args: words.map((word) => {
          const equals = word.indexOf('=');
          if (equals === 0) throw invalidParameter('ARG names can not be blank');
          return equals < 0
            ? { name: word, value: undefined }
            : { name: word.slice(0, equals), value: word.slice(equals + 1) };
        }),
      };
    },
  },
  cmd: { parse: (parts) => ({ command: commandLine(parts.rest) }) },
  copy: {
    flags: { ...transferFlags, from: 'text', parents: 'boolean' },
    parse: (parts) => ({
      ...parseTransfer('COPY', parts),
      from: parts.flags.text('from'),
      parents: parts.flags.boolean('parents'),
    }),
  },
  entrypoint: { parse: (parts) => ({ command: commandLine(parts.rest) }) },
  env: { parse: (parts) => ({ pairs: pairs('ENV', parts) }) },
  expose: {
    parse({ rest }) {
      if (rest.trim() === '') throw atLeastOne('EXPOSE');
      return { ports: rest.trim().split(/\s+/) };
    },
  },
  healthcheck: {
    flags: { interval: 'text', timeout: 'text', 'start-period': 'text', 'start-interval': 'text', retries: 'text' },
    parse: (parts) => ({ health: parseHealthcheck(parts) }),
  },
  label: { parse: (parts) => ({ pairs: pairs('LABEL', parts) }) },
  maintainer: { parse: (parts) => ({ name: one('MAINTAINER', parts) }) },
  onbuild: { parse: ({ line, rest, escapeChar }) => ({ trigger: trigger(line, rest, escapeChar) }) },
  run: {
    flags: { mount: 'list', network: 'text', security: 'text', device: 'list' },
    parse({ line, rest, flags }) {
      const network = flags.text('network') ?? 'default';
      if (network !== 'default' && network !== 'none' && network !== 'host')
        throw invalidParameter(`unsupported network mode: ${network}: use default, none or host`);
      const security = flags.text('security') ?? 'sandbox';
      if (security !== 'sandbox' && security !== 'insecure')
        throw invalidParameter(`security "${security}" is not valid: use sandbox or insecure`);
      if (flags.list('device').length > 0)
        throw invalidParameter('RUN --device is not supported: this builder passes no devices to build steps');
      const mounts = flags.list('mount').map(parseMount);
      return { command: commandLine(rest), heredocs: line.heredocs, mounts, network, security };
    },
  },
  shell: {
    parse({ rest }) {
      const read = jsonWords(rest);
      if (read.kind === 'not-strings') throw notStrings();
      if (read.kind === 'not-json') throw invalidParameter('SHELL requires the arguments to be in JSON form');
      if (read.words.length === 0) throw atLeastOne('SHELL');
      return { words: read.words };
    },
  },
  stopsignal: { parse: (parts) => ({ signal: one('STOPSIGNAL', parts) }) },
  user: { parse: (parts) => ({ user: one('USER', parts) }) },
  volume: {
    parse({ rest }) {
      const read = jsonWords(rest);
      if (read.kind === 'not-strings') throw notStrings();
      const paths = read.kind === 'words' ? read.words : rest.trim().split(/\s+/).filter(Boolean);
      if (paths.length === 0) throw atLeastOne('VOLUME');
      if (paths.some((path) => path.trim() === ''))
        throw invalidParameter('VOLUME specified can not be an empty string');
      return { paths };
    },
  },
  workdir: { parse: (parts) => ({ path: one('WORKDIR', parts) }) },
};

const names = [...Object.keys(parsers), 'from'].map((name) => name.toUpperCase());

/** @throws invalid-parameter  without a place; the caller adds it */
export function parseInstruction(line: SourceLine, escapeChar: string): Instruction {
  const [word, text] = splitInstruction(line.text);
  const kind = word.toLowerCase() as InstructionKind;
  const parser = Object.hasOwn(parsers, kind) ? (parsers[kind] as Parser<InstructionKind>) : undefined;
  if (parser === undefined) {
    const near = nearestKey(word, names, 2);
    throw invalidParameter(`unknown instruction: ${word}${near === undefined ? '' : ` (did you mean ${near}?)`}`);
  }
  // An ONBUILD's flags are those of its trigger.
  const { flags, rest } = kind === 'onbuild' ? { flags: [], rest: text } : takeFlags(text, escapeChar);
  const parts: Parts = { line, rest, escapeChar, flags: readFlags(flags, parser.flags ?? {}) };
  return { kind, at: line, ...parser.parse(parts) } as unknown as Instruction;
}

/** A stage's head, or undefined for another instruction. */
export function parseFrom(line: SourceLine, escapeChar: string): Omit<Stage, 'instructions'> | undefined {
  const [word, text] = splitInstruction(line.text);
  if (word.toUpperCase() !== 'FROM') return undefined;
  const { flags, rest } = takeFlags(text, escapeChar);
  const words = rest.trim().split(/\s+/).filter(Boolean);
  const named = words.length === 3 && words[1]!.toLowerCase() === 'as';
  if (!named && words.length !== 1) throw invalidParameter('FROM requires either one or three arguments');
  const name = named ? words[2]!.toLowerCase() : undefined;
  if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(name))
    throw invalidParameter(
      `invalid name for build stage: "${words[2]}", name can't start with a number or contain symbols`,
    );
  return { at: line, base: words[0]!, name, platform: readFlags(flags, { platform: 'text' }).text('platform') };
}

function splitInstruction(text: string): [word: string, rest: string] {
  const match = /^(\S+)\s*([\s\S]*)$/.exec(text)!;
  return [match[1]!, match[2]!];
}

function commandLine(rest: string): CommandLine {
  const read = jsonWords(rest);
  if (read.kind === 'not-strings') throw notStrings();
  if (read.kind === 'words') return { form: 'exec', words: read.words };
  return { form: 'shell', words: rest.trim() === '' ? [] : [rest.trim()] };
}

/** `name=value …`, or the old form `name value`. */
function pairs(instruction: string, { rest, escapeChar }: Parts): Pair[] {
  const words = splitWords(rest, escapeChar);
  if (words.length === 0) throw atLeastOne(instruction);
  if (!words[0]!.includes('=')) {
    const old = /^\s*(\S+)\s+([\s\S]+?)\s*$/.exec(rest);
    if (old === null) throw invalidParameter(`${instruction} must have two arguments`);
    return [{ name: old[1]!, value: old[2]! }];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) throw invalidParameter(`Syntax error - can't find = in "${word}". Must be of the form: name=value`);
    if (equals === 0) throw invalidParameter(`${instruction} names can not be blank`);
    return { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

function trigger(line: SourceLine, rest: string, escapeChar: string): string {
  const [, word = ''] = /^(\S*)/.exec(rest.trim()) ?? [];
  const upper = word.toUpperCase();
  if (upper === '') throw atLeastOne('ONBUILD');
  if (upper === 'ONBUILD') throw invalidParameter("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (upper === 'FROM' || upper === 'MAINTAINER')
    throw invalidParameter(`${upper} isn't allowed as an ONBUILD trigger`);
  // A bad trigger is found here and not in somebody's build.
  parseInstruction({ ...line, text: rest.trim() }, escapeChar);
  return [rest.trim(), ...line.heredocs.map(({ content, name }) => `${content}${name}`)].join('\n');
}

function one(instruction: string, { rest }: Parts): string {
  const text = rest.trim();
  if (text === '') throw invalidParameter(`${instruction} requires exactly one argument`);
  return text;
}

const atLeastOne = (instruction: string) => invalidParameter(`${instruction} requires at least one argument`);
const notStrings = () => invalidParameter('when using JSON array syntax, arrays must be comprised of strings only');

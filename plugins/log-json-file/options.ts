import { invalidParameter, type LogInfo } from '@gantry/sdk';
import { renderTag } from './tag-template';

type Options = Readonly<Record<string, string>>;

export interface JsonFileOptions {
  /** Bytes after which a new file is begun; undefined = never. */
  readonly maxBytes?: number;
  /** Files kept, the one being written included. */
  readonly maxFiles: number;
  readonly compress: boolean;
}

const known = ['max-file', 'max-size', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag'];

/** Parses and checks; the words are dockerd's. @throws invalid-parameter */
export function parseOptions(options: Options): JsonFileOptions {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalidParameter(`unknown log opt '${name}' for json-file log driver`);
  const maxBytes = options['max-size'] === undefined ? undefined : humanSize(options['max-size']);
  if (maxBytes !== undefined && maxBytes <= 0) throw invalidParameter('max-size must be a positive number');
  const maxFiles = options['max-file'] === undefined ? 1 : integer(options['max-file']);
  if (maxFiles < 1) throw invalidParameter('max-file cannot be less than 1');
  const compress = options.compress !== undefined && boolean(options.compress);
  if (compress && (maxFiles === 1 || maxBytes === undefined))
    throw invalidParameter('compress cannot be true when max-file is less than 2 or max-size is not set');
  for (const name of ['labels-regex', 'env-regex'] as const) pattern(name, options[name]);
  if (options.tag !== undefined) renderTag(options.tag, exampleInfo);
  return { maxBytes, maxFiles, compress };
}

/** What is kept beside every line: chosen labels and environment, and the tag. Empty when nothing was asked for. */
export function extraAttributes(info: LogInfo): string {
  const { labels = '', env = '', tag } = info.options;
  const attributes = new Map<string, string>();
  const environment: Record<string, string> = {};
  for (const entry of info.env) {
    const equals = entry.indexOf('=');
    if (equals > 0) environment[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  choose(info.labels, labels, pattern('labels-regex', info.options['labels-regex']), attributes);
  choose(environment, env, pattern('env-regex', info.options['env-regex']), attributes);
  const rendered = tag === undefined ? '' : renderTag(tag, info);
  if (rendered !== '') attributes.set('tag', rendered);
  if (attributes.size === 0) return '';
  const sorted = [...attributes].sort(([a], [b]) => (a < b ? -1 : 1));
  const json = sorted.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',');
  return `{${json}}`.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function choose(
  from: Readonly<Record<string, string>>,
  names: string,
  matching: RegExp | undefined,
  into: Map<string, string>,
): void {
  for (const name of names.split(',')) {
    const value = from[name];
    if (value !== undefined) into.set(name, value);
  }
  if (matching) for (const [name, value] of Object.entries(from)) if (matching.test(name)) into.set(name, value);
}

function pattern(name: string, text: string | undefined): RegExp | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    return new RegExp(text);
  } catch (error) {
    throw invalidParameter(`error parsing option ${name}: '${text}' is no regular expression`, error);
  }
}

/** `10m` is ten million bytes, as dockerd reads it. */
function humanSize(text: string): number {
  const match = /^(-?\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (!match) throw invalidParameter(`invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * 1000 ** ' kmgtp'.indexOf(match[2]!.toLowerCase() || ' '));
}

function integer(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw invalidParameter(`strconv.Atoi: parsing "${text}": invalid syntax`);
  return Number(text);
}

function boolean(text: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw invalidParameter(`strconv.ParseBool: parsing "${text}": invalid syntax`);
}

const exampleInfo: LogInfo = {
  containerId: '0'.repeat(64),
  containerName: 'name',
  imageId: `sha256:${'0'.repeat(64)}`,
  imageName: 'image',
  entrypoint: 'sh',
  args: [],
  createdAt: new Date(0),
  env: [],
  labels: {},
  logPath: '',
  options: {},
};

import type { LogInfo } from '../contracts/log-driver';
import { type LogOptions, parsePattern } from './option-values';
import { renderTag } from './tag-template';

/** Options of `chosenAttributes`; every driver that keeps attributes knows them. */
export const attributeOptions: readonly string[] = ['labels', 'labels-regex', 'env', 'env-regex'];

/** @throws invalid-parameter naming the option */
export function checkAttributeOptions(options: LogOptions): void {
  for (const name of ['labels-regex', 'env-regex']) parsePattern(name, options[name]);
}

/**
 * The labels and environment variables that `labels`, `labels-regex`, `env` and `env-regex` choose; sorted by name.
 *
 * @see Docker, "Customize log driver output"
 */
export function chosenAttributes(info: LogInfo): Record<string, string> {
  const { labels = '', env = '' } = info.options;
  const environment: Record<string, string> = {};
  for (const entry of info.env) {
    const equals = entry.indexOf('=');
    if (equals > 0) environment[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  const chosen = new Map<string, string>();
  choose(info.labels, labels, parsePattern('labels-regex', info.options['labels-regex']), chosen);
  choose(environment, env, parsePattern('env-regex', info.options['env-regex']), chosen);
  return Object.fromEntries([...chosen].sort(([a], [b]) => (a < b ? -1 : 1)));
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

/** A container for trying out a tag template before there is one. */
const example: LogInfo = {
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

/** @throws invalid-parameter naming what is not understood in the option `tag` */
export function checkTag(options: LogOptions): void {
  if (options.tag !== undefined) renderTag(options.tag, example);
}

/** The `tag` of a container; without one, its short id, as dockerd has it. */
export function logTag(info: LogInfo, template = info.options.tag || '{{.ID}}'): string {
  return renderTag(template, info);
}

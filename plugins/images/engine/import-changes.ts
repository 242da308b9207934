import { type ImageConfig, invalidParameter } from '@gantry/sdk';
import { type Variables, words } from './change-words';

type MutableConfig = { -readonly [K in keyof ImageConfig]: ImageConfig[K] };

const healthKeys: Readonly<Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
};

/**
 * Applies Dockerfile instructions to an image config.
 *
 * @param changes one instruction each, such as `CMD ["sh"]`
 * @throws invalid-parameter  an instruction that cannot be used here
 */
export function applyChanges(base: ImageConfig, changes: readonly string[]): ImageConfig {
  const config: MutableConfig = { ...base };
  let commandSet = false;
  const lines = changes.flatMap((text) => text.split('\n')).map((text) => text.trim());
  const instructions = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (changes.length > 0 && instructions.length === 0) throw invalidParameter('file with no instructions');
  for (const line of instructions) {
    const [, word = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
    const name = word.toUpperCase();
    applyOne(config, name, rest.trim());
    // Another program makes the arguments meant for the old one meaningless.
    if (name === 'ENTRYPOINT' && !commandSet) config.Cmd = null;
    commandSet ||= name === 'CMD';
  }
  return config;
}

function applyOne(config: MutableConfig, word: string, rest: string): void {
  if (rest === '') throw invalidParameter(`${word} requires at least one argument`);
  const variables = variablesOf(config.Env ?? []);
  switch (word) {
    case 'CMD':
      config.Cmd = command(rest, config.Shell);
      return;
    case 'ENTRYPOINT':
      config.Entrypoint = command(rest, config.Shell);
      return;
    case 'ENV':
      config.Env = mergeEnvironment(config.Env ?? [], pairs(word, rest, variables));
      return;
    case 'LABEL':
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(word, rest, variables)) };
      return;
    case 'EXPOSE':
      config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(words(rest, variables).flatMap(ports)) };
      return;
    case 'VOLUME':
      config.Volumes = { ...config.Volumes, ...objectOf(jsonList(rest) ?? words(rest, variables)) };
      return;
    case 'USER':
      config.User = oneWord(word, rest, variables);
      return;
    case 'WORKDIR':
      config.WorkingDir = resolveDirectory(config.WorkingDir ?? '/', oneWord(word, rest, variables));
      return;
    case 'STOPSIGNAL':
      config.StopSignal = oneWord(word, rest, variables);
      return;
    case 'ONBUILD':
      config.OnBuild = [...(config.OnBuild ?? []), rest];
      return;
    case 'HEALTHCHECK':
      config.Healthcheck = healthcheck(rest);
      return;
    default:
      fail(`${word} is not a valid change command`);
  }
}

function command(rest: string, shell: readonly string[] | null | undefined): readonly string[] {
  return jsonList(rest) ?? [...(shell ?? ['/bin/sh', '-c']), rest];
}

function healthcheck(rest: string): ImageConfig['Healthcheck'] {
  const check: Record<string, unknown> = {};
  let text = rest;
  for (let match = /^--([a-z-]+)=(\S+)\s+/.exec(text); match !== null; match = /^--([a-z-]+)=(\S+)\s+/.exec(text)) {
    const [whole, name = '', value = ''] = match;
    text = text.slice(whole.length);
    if (name === 'retries' && /^\d+$/.test(value)) check.Retries = Number(value);
    else if (healthKeys[name] !== undefined) check[healthKeys[name]] = durationNs(value);
    else fail(`HEALTHCHECK: unknown flag or value: --${name}=${value}`);
  }
  if (/^NONE$/i.test(text)) return { Test: ['NONE'] };
  const cmd = /^CMD\s+([\s\S]+)$/i.exec(text)?.[1] ?? fail('HEALTHCHECK needs NONE or CMD');
  const list = jsonList(cmd);
  return { ...check, Test: list === undefined ? ['CMD-SHELL', cmd] : ['CMD', ...list] };
}

const unitNs: Readonly<Record<string, number>> = { ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

function durationNs(text: string): number {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) fail(`HEALTHCHECK: invalid duration "${text}"`);
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) total += Number(amount) * unitNs[unit!]!;
  return total;
}

function jsonList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    // By Dockerfile rules what is not JSON is a shell command.
    return undefined;
  }
}

/** `a=b c="d e"`, or the older `a b c` that means one pair. */
function pairs(word: string, text: string, variables: Variables): [string, string][] {
  const [first = ''] = text.split(/\s/, 1);
  if (!first.includes('=')) {
    const value = text.slice(first.length).trim();
    if (value === '') fail(`${word} must have two arguments`);
    return [[first, words(value.replaceAll(/\s/g, '\\$&'), variables).join(' ')]];
  }
  return words(text, variables).map((item) => {
    const equals = item.indexOf('=');
    if (equals <= 0) fail(`${word}: can't find = in "${item}". Must be of the form: name=value`);
    return [item.slice(0, equals), item.slice(equals + 1)];
  });
}

function variablesOf(environment: readonly string[]): Variables {
  return new Map(
    environment.map((entry) => {
      const equals = entry.indexOf('=');
      return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

function mergeEnvironment(before: readonly string[], changes: readonly [string, string][]): string[] {
  const names = new Map(before.map((entry) => [entry.split('=', 1)[0]!, entry]));
  for (const [name, value] of changes) names.set(name, `${name}=${value}`);
  return [...names.values()];
}

/** `80`, `80/udp`, `8000-8010/tcp` */
function ports(text: string): [string, object][] {
  const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? fail(`invalid containerPort: ${text}`);
  const [, first, last = first, protocol = 'tcp'] = match;
  const [from, to] = [Number(first), Number(last)];
  if (from > to || to > 65535) fail(`invalid containerPort: ${text}`);
  return Array.from({ length: to - from + 1 }, (_, i) => [`${from + i}/${protocol.toLowerCase()}`, {}]);
}

function oneWord(word: string, rest: string, variables: Variables): string {
  const list = words(rest, variables);
  if (list.length !== 1) fail(`${word} requires exactly one argument`);
  return list[0]!;
}

function resolveDirectory(base: string, path: string): string {
  return path.startsWith('/') ? path : `${base.replace(/\/$/, '')}/${path}`;
}

const objectOf = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, {}]));

function fail(message: string): never {
  throw invalidParameter(message);
}

import { escapePointer } from '@gantry/sdk';
import { knownKeys } from './known-keys';
import type { Configuration } from './read-configuration';

/** A plugin with its own section, as its schema has understood it. */
export interface EffectivePlugin {
  readonly name: string;
  readonly config: unknown;
}

interface Shown {
  readonly value: unknown;
  /** `default`, `/etc/docker/daemon.json:3:5`, `--debug`, or file and flag. */
  readonly origin: string;
}

/**
 * The effective configuration as JSON, for people and scripts: each key of daemon.json with its value and where that
 * comes from. Plugins are listed with their sections filled in.
 */
export function printConfiguration(configuration: Configuration, plugins: readonly EffectivePlugin[]): string {
  const shown: Record<string, Shown> = {};
  for (const name of Object.keys(knownKeys).sort())
    shown[name] = { value: shownValue(configuration, name), origin: originOf(configuration, name) };
  const sections = Object.fromEntries(
    plugins.map(({ name, config }) => [name, { value: config, origin: sectionOrigin(configuration, name) }]),
  );
  return `${JSON.stringify({ file: configuration.file ?? null, keys: shown, plugins: sections }, mask, 2)}\n`;
}

function shownValue({ values }: Configuration, name: string): unknown {
  return values[name as keyof typeof values] ?? null;
}

function originOf(configuration: Configuration, name: string): string {
  const flag = `--${knownKeys[name]?.flag?.name}`;
  switch (configuration.origins.get(name)) {
    case undefined:
      return 'default';
    case 'file':
      return place(configuration, `/${name}`);
    case 'flag':
      return flag;
    case 'file and flag':
      return `${place(configuration, `/${name}`)} and ${flag}`;
  }
}

function sectionOrigin(configuration: Configuration, name: string): string {
  const entry = configuration.values.plugins[name];
  if (entry === undefined || entry === false || entry.config === undefined) return 'default';
  return place(configuration, `/plugins/${escapePointer(name)}/config`);
}

/** Without the pointer, which the key says already. */
const place = ({ where }: Configuration, pointer: string) => where(pointer).replace(/ \(.*\)$/, '');

/** Addresses of proxies and registries may carry a password. */
function mask(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^(\w+:\/\/)[^/@\s]+@/, '$1xxxxx:xxxxx@') : value;
}

import { systemError } from '@gantry/sdk';
import type { PluginConfig, PluginDevice, PluginMount } from './plugin-config';

/** What an operator may change of an installed plugin, as the API shows it (P-MAN-2). */
export interface PluginSettings {
  readonly Mounts: readonly PluginMount[];
  /** `NAME=value` */
  readonly Env: readonly string[];
  readonly Args: readonly string[];
  readonly Devices: readonly PluginDevice[];
}

/** As the plugin's author wishes. */
export function initialSettings(config: PluginConfig): PluginSettings {
  return {
    Mounts: config.Mounts ?? [],
    Env: (config.Env ?? []).flatMap(({ Name, Value }) => (Value === null ? [] : [`${Name}=${Value}`])),
    Args: config.Args.Value ?? [],
    Devices: config.Linux.Devices ?? [],
  };
}

/**
 * Applies `name[.field]=value` changes, all or none.
 *
 * @throws system  in dockerd's words: malformed, not settable, or not in the config
 */
export function applySettings(
  config: PluginConfig,
  before: PluginSettings,
  changes: readonly string[],
): PluginSettings {
  return changes.map(parseChange).reduce((settings, change) => applyOne(config, settings, change), before);
}

/**
 * Settings for another version of the plugin: what was set stays, if the new version lets it be set.
 *
 * @param before  of the old version, whose author wished `wished`
 */
export function carrySettings(config: PluginConfig, before: PluginSettings, wished: PluginSettings): PluginSettings {
  const changes = [
    ...before.Env.filter((entry) => !wished.Env.includes(entry)).map((entry) => entry.replace('=', '.value=')),
    ...before.Mounts.filter(({ Name, Source }) => wished.Mounts.some((it) => it.Name === Name && it.Source !== Source))
      .filter(({ Source }) => Source !== null)
      .map(({ Name, Source }) => `${Name}.source=${Source}`),
    ...before.Devices.filter(({ Name, Path }) => wished.Devices.some((it) => it.Name === Name && it.Path !== Path))
      .filter(({ Path }) => Path !== null)
      .map(({ Name, Path }) => `${Name}.path=${Path}`),
  ];
  let settings = initialSettings(config);
  for (const change of changes) {
    try {
      settings = applySettings(config, settings, [change]);
    } catch {
      // The new version knows no such setting any more.
    }
  }
  const argsWereSet = before.Args.join('\0') !== wished.Args.join('\0');
  return argsWereSet && (config.Args.Settable ?? []).includes('value') ? { ...settings, Args: before.Args } : settings;
}

interface Change {
  readonly name: string;
  readonly field: string;
  readonly value: string;
}

function parseChange(text: string): Change {
  const equals = text.indexOf('=');
  if (equals === 0 || text === '') throw systemError('invalid format, must be <name>[.<field>][=<value>]');
  const key = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? '' : text.slice(equals + 1);
  const dot = key.lastIndexOf('.');
  return dot > 0 ? { name: key.slice(0, dot), field: key.slice(dot + 1), value } : { name: key, field: '', value };
}

function applyOne(config: PluginConfig, settings: PluginSettings, change: Change): PluginSettings {
  const { name, value } = change;
  const named = ({ Name }: { readonly Name: string }) => Name === name;
  const variable = (config.Env ?? []).find(named);
  if (variable !== undefined) {
    assertSettable(change, 'value', variable.Settable);
    const entry = `${name}=${value}`;
    const isSame = (text: string) => text.split('=', 1)[0] === name;
    const Env = settings.Env.some(isSame)
      ? settings.Env.map((text) => (isSame(text) ? entry : text))
      : [...settings.Env, entry];
    return { ...settings, Env };
  }
  const mount = (config.Mounts ?? []).find(named);
  if (mount !== undefined) {
    assertSettable(change, 'source', mount.Settable);
    return { ...settings, Mounts: settings.Mounts.map((it) => (named(it) ? { ...it, Source: value } : it)) };
  }
  const device = (config.Linux.Devices ?? []).find(named);
  if (device !== undefined) {
    assertSettable(change, 'path', device.Settable);
    return { ...settings, Devices: settings.Devices.map((it) => (named(it) ? { ...it, Path: value } : it)) };
  }
  if (config.Args.Name === name) {
    assertSettable(change, 'value', config.Args.Settable);
    return { ...settings, Args: value.split(' ') };
  }
  throw systemError(`setting "${name}" not found in the plugin configuration`);
}

/** @param allowed the one field of this kind of setting (P-MAN-1) */
function assertSettable({ name, field }: Change, allowed: string, settable: readonly string[] | null): void {
  const fields = settable ?? [];
  if (field === '' && fields.length > 1) throw systemError('multiple fields are settable, one must be specified');
  const meant = field === '' ? (fields[0] ?? '') : field;
  if (meant !== allowed || !fields.includes(meant))
    throw systemError(`"${meant === '' ? name : `${name}.${meant}`}" is not settable`);
}

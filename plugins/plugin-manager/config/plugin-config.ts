import { invalidParameter, parseJson, systemError } from '@gantry/sdk';
import {
  type Decoded,
  type Decoder,
  flag,
  integer,
  listOf,
  nullable,
  optional,
  struct,
  text,
} from '@gantry/sdk/decode';

/** Null stays null, as in answers of the API: nothing may be set, and nothing is given. */
const strings = nullable(listOf(text));

const mount = struct({
  Name: text,
  Description: text,
  Settable: strings,
  Source: nullable(text),
  Destination: text,
  Type: text,
  Options: strings,
});
const device = struct({ Name: text, Description: text, Settable: strings, Path: nullable(text) });
const variable = struct({ Name: text, Description: text, Settable: strings, Value: nullable(text) });

/** `docker.volumedriver/1.0`. @throws invalid-parameter */
const interfaceType: Decoder<string> = {
  goType: 'plugin.InterfaceType',
  decode(value, at) {
    const type = text.decode(value, at);
    if (!/^[^./]*\.[^/]+(\/.*)?$/.test(type))
      throw invalidParameter(`invalid plugin config: ${at}: "${type}" is not of the form prefix.capability/version`);
    return type;
  },
};

const config = struct({
  DockerVersion: optional(text),
  Description: text,
  Documentation: text,
  Interface: struct({ Types: nullable(listOf(interfaceType)), Socket: text, ProtocolScheme: optional(text) }),
  Entrypoint: strings,
  WorkDir: text,
  User: optional(struct({ UID: optional(integer), GID: optional(integer) })),
  Network: struct({ Type: text }),
  Linux: struct({ Capabilities: strings, AllowAllDevices: flag, Devices: nullable(listOf(device)) }),
  PropagatedMount: text,
  IpcHost: flag,
  PidHost: flag,
  Mounts: nullable(listOf(mount)),
  Env: nullable(listOf(variable)),
  Args: struct({ Name: text, Description: text, Settable: strings, Value: strings }),
  rootfs: optional(struct({ type: optional(text), diff_ids: optional(listOf(text)) })),
});

/** A plugin's `config.json`, in the API's own names. @see P-MAN, 9.1 */
export type PluginConfig = Decoded<typeof config>;
export type PluginMount = Decoded<typeof mount>;
export type PluginDevice = Decoded<typeof device>;

/** Unset fields of a `User` show nowhere. */
const shown = (parsed: PluginConfig): PluginConfig => ({ ...parsed, User: parsed.User ?? {} });

/**
 * Reads a `config.json`, written by hand or by an engine: keys match without regard to case.
 *
 * @throws invalid-parameter  naming the field
 */
export function parsePluginConfig(blob: Buffer): PluginConfig {
  let value: unknown;
  try {
    value = parseJson(blob.toString('utf8'));
  } catch (error) {
    throw systemError(`failed to parse config: ${(error as Error).message}`, error);
  }
  const parsed = shown(config.decode(value, ''));
  checkPaths(parsed);
  return parsed;
}

/** What is a path must be one inside the plugin, or the host would be reached by it. */
function checkPaths({ Interface, PropagatedMount, Mounts }: PluginConfig): void {
  if (/[/\0]/.test(Interface.Socket) || Interface.Socket === '.' || Interface.Socket === '..')
    throw invalidParameter(`invalid plugin config: Interface.Socket "${Interface.Socket}" is not a file name`);
  for (const [field, path] of [
    ['PropagatedMount', PropagatedMount],
    ...(Mounts ?? []).map(({ Destination }) => ['Mounts.Destination', Destination]),
  ] as const)
    if (path !== '' && (!path!.startsWith('/') || path!.split('/').includes('..')))
      throw invalidParameter(`invalid plugin config: ${field} "${path}" is not an absolute path without ".."`);
}

/** `volumedriver`, `networkdriver` …: what the config says of itself, lower case. Only prefix `docker` counts. */
export function capabilitiesOf({ Interface }: PluginConfig): string[] {
  return (Interface.Types ?? []).flatMap((type) => {
    const [, prefix, capability] = /^([^.]*)\.([^/]+)/.exec(type)!;
    return prefix === 'docker' ? [capability!.toLowerCase()] : [];
  });
}

/** Whether it speaks the plugin protocol (CSI plugins do not). */
export const speaksProtocol = ({ Interface }: PluginConfig): boolean =>
  !Interface.ProtocolScheme || Interface.ProtocolScheme === 'moby.plugins.http/v1';

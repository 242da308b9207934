import { invalidParameter, systemError } from '@gantry/sdk';
import { type Decoded, listOf, nullable, struct, text } from '@gantry/sdk/decode';
import type { PluginConfig } from './plugin-config';

const privilege = struct({ Name: text, Description: text, Value: nullable(listOf(text)) });

/** Something a plugin wants of the host, as the API shows it. */
export type PluginPrivilege = Decoded<typeof privilege>;

/** The body of pull and upgrade. @throws invalid-parameter */
export function parsePrivileges(body: unknown): PluginPrivilege[] {
  if (body === undefined) throw invalidParameter('failed to parse privileges: EOF');
  return listOf(privilege).decode(body, '');
}

/** What a plugin asks for (P-PRIV-1). */
export function privilegesOf(config: PluginConfig): PluginPrivilege[] {
  const { Network, IpcHost, PidHost, Mounts, Linux } = config;
  const asked: PluginPrivilege[] = [];
  const ask = (Name: string, Description: string, Value: string[]) => void asked.push({ Name, Description, Value });
  if (!['', 'null', 'bridge'].includes(Network.Type)) ask('network', 'permissions to access a network', [Network.Type]);
  if (IpcHost) ask('host ipc namespace', 'allow access to host ipc namespace', ['true']);
  if (PidHost) ask('host pid namespace', 'allow access to host pid namespace', ['true']);
  for (const { Source } of Mounts ?? []) if (Source !== null) ask('mount', 'host path to mount', [Source]);
  for (const { Path } of Linux.Devices ?? []) if (Path !== null) ask('device', 'host device to access', [Path]);
  if (Linux.AllowAllDevices) ask('allow-all-devices', "allow 'rwm' access to all devices", ['true']);
  if (Linux.Capabilities?.length)
    ask('capabilities', 'list of additional capabilities required', [...Linux.Capabilities]);
  return asked;
}

/**
 * Every privilege the plugin asks for was granted, and no other: compared whole, in any order (P-PRIV-2).
 *
 * @throws system  in dockerd's words, with what differs
 */
export function checkGranted(config: PluginConfig, granted: readonly PluginPrivilege[]): void {
  const asked = privilegesOf(config).map(describe).sort();
  const given = granted.map(describe).sort();
  const missing = without(asked, given);
  const surplus = without(given, asked);
  if (missing.length === 0 && surplus.length === 0) return;
  const parts = [
    ...(missing.length > 0 ? [`not granted: ${missing.join('; ')}`] : []),
    ...(surplus.length > 0 ? [`granted and not asked for: ${surplus.join('; ')}`] : []),
  ];
  throw systemError(`incorrect privileges: ${parts.join('. ')}`);
}

const describe = ({ Name, Value }: PluginPrivilege) => `${Name} [${[...(Value ?? [])].join(' ')}]`;

/** Items of a list, as often as they are more frequent than in the other one. */
function without(items: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return items.filter((item) => {
    const at = left.indexOf(item);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

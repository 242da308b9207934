import type { NetlinkMessage } from '@gantry/sdk/linux/netlink';
import { addElements, concatenation, deleteElements, type MapElement, portField } from '@gantry/sdk/linux/nftables';
import { addressBytes } from '../../addresses';
import type { FirewallPort } from '../packet-filter';
import { type MapName, mapNames, mapOf, protocolNumber } from './ruleset';

/** The kernel messages that publish ports in a table made by `tableScript`. */
export function addPorts(table: string, ports: readonly FirewallPort[]): NetlinkMessage[] {
  return byMap(ports).map(([map, list]) => addElements('inet', table, map, list.map(elementOf)));
}

export function deletePorts(table: string, ports: readonly FirewallPort[]): NetlinkMessage[] {
  return byMap(ports).map(([map, list]) =>
    deleteElements(
      'inet',
      table,
      map,
      list.map((port): MapElement => ({ key: keyOf(port) })),
    ),
  );
}

/** What the maps must hold, in the form of `listElements`, sorted. */
export function expectedElements(ports: readonly FirewallPort[]): ReadonlyMap<MapName, readonly string[]> {
  const hex = (fields: readonly Uint8Array[] | undefined) => (fields ? concatenation(fields).toString('hex') : '');
  const filled = new Map(byMap(ports));
  return new Map(
    mapNames.map((name) => {
      const elements = (filled.get(name) ?? []).map(elementOf);
      return [name, elements.map(({ key, value }) => `${hex(key)}>${hex(value)}`).sort()];
    }),
  );
}

function elementOf(port: FirewallPort): MapElement {
  // Sets of open ports have no values.
  const value = port.hostPort === 0 ? undefined : [addressBytes(port.targetIp), portField(port.targetPort)];
  return { key: keyOf(port), ...(value === undefined ? {} : { value }) };
}

function keyOf({ hostIp, proto, hostPort, targetIp, targetPort, sourceIp }: FirewallPort): Uint8Array[] {
  if (hostPort === 0) {
    const source = sourceIp === undefined ? [] : [addressBytes(sourceIp)];
    return [...source, addressBytes(targetIp), Uint8Array.of(protocolNumber[proto]), portField(targetPort)];
  }
  const fields = [Uint8Array.of(protocolNumber[proto]), portField(hostPort)];
  return hostIp === '' ? fields : [addressBytes(hostIp), ...fields];
}

function byMap(ports: readonly FirewallPort[]): [MapName, FirewallPort[]][] {
  const maps = new Map<MapName, FirewallPort[]>();
  for (const port of ports) {
    const list = maps.get(mapOf(port));
    if (list) list.push(port);
    else maps.set(mapOf(port), [port]);
  }
  return [...maps];
}

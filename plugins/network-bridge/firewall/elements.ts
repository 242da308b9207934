import type { NetlinkMessage } from '@gantry/sdk/linux/netlink';
import { addElements, deleteElements, type MapElement, portField } from '@gantry/sdk/linux/nftables';
import { addressBytes } from '../addresses';
import { type FirewallPort, type MapName, mapOf, protocolNumber } from './ruleset';

/** The kernel messages that publish ports in a table made by `tableScript`. */
export function addPorts(table: string, ports: readonly FirewallPort[]): NetlinkMessage[] {
  return byMap(ports).map(([map, list]) =>
    addElements(
      'inet',
      table,
      map,
      list.map(
        (port): MapElement => ({
          key: keyOf(port),
          // Sets of open ports have no values.
          ...(port.hostPort === 0 ? {} : { value: [addressBytes(port.targetIp), portField(port.targetPort)] }),
        }),
      ),
    ),
  );
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

function keyOf({ hostIp, proto, hostPort, targetIp, targetPort }: FirewallPort): Uint8Array[] {
  if (hostPort === 0) return [addressBytes(targetIp), Uint8Array.of(protocolNumber[proto]), portField(targetPort)];
  const fields = [Uint8Array.of(protocolNumber[proto]), portField(hostPort)];
  return hostIp === '' ? fields : [addressBytes(hostIp), ...fields];
}

function byMap(ports: readonly FirewallPort[]): [MapName, FirewallPort[]][] {
  const maps = new Map<MapName, FirewallPort[]>();
  for (const port of ports) maps.set(mapOf(port), [...(maps.get(mapOf(port)) ?? []), port]);
  return [...maps];
}

import type { NetworkRecord } from '../records/network-record';
import { predefinedNames } from '../records/network-record';

/** Whether containers on the network are found by name: all but the predefined networks. */
export function hasResolver(network: Pick<NetworkRecord, 'name'>): boolean {
  return !predefinedNames.has(network.name);
}

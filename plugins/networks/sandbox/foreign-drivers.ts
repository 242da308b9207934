import { isOwnIpam } from '../ipam/request-replay';
import type { SandboxDeps } from './sandbox-deps';

/**
 * Whether a driver of this network keeps books that it cannot rebuild from ours: those must be told of every endpoint
 * that ends, also after a restart.
 */
export function keepsOwnBooks(
  { networks, drivers }: Pick<SandboxDeps, 'networks' | 'drivers'>,
  networkId: string,
): boolean {
  const network = networks.byId(networkId);
  if (network === undefined) return false;
  return !isOwnIpam(network.ipam.driver) || drivers.get(network.driver)?.restore === undefined;
}

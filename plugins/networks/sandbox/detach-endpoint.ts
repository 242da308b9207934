import { CleanupStack, errorMessage } from '@gantry/sdk';
import type { EndpointRecord } from '../records/sandbox-record';
import { releaseAddresses } from './endpoint-addresses';
import type { LiveSandbox } from './live-sandbox';
import type { SandboxDeps } from './sandbox-deps';

/**
 * Takes an endpoint off a sandbox. Every step is tried; failures go to the log, because the endpoint must be gone
 * from the books whatever a driver says.
 */
export async function detachEndpoint(deps: SandboxDeps, sandbox: LiveSandbox, endpoint: EndpointRecord): Promise<void> {
  const { networkId, endpointId } = endpoint;
  const network = deps.networks.byId(networkId);
  const steps = new CleanupStack();
  if (network !== undefined) {
    const driver =
      deps.drivers.get(network.driver) ?? (await deps.drivers.resolve(network.driver).catch(() => undefined));
    const addresses = { ipv4: endpoint.address, ipv6: endpoint.addressIPv6 };
    // Run in reverse: ports first, the address last, so that nobody gets it while something still points at it.
    steps.push(async () => releaseAddresses(await deps.ipam(network.ipam.driver), network, addresses));
    steps.push(() => driver?.deleteEndpoint(networkId, endpointId));
    steps.push(() => driver?.leave(networkId, endpointId));
    if (endpoint.external) steps.push(() => driver?.revokeExternalConnectivity?.(networkId, endpointId));
  }
  for (const failure of await steps.runAll())
    deps.log.error('taking an endpoint off failed', {
      container: sandbox.request.containerId,
      network: network?.name ?? networkId,
      error: errorMessage(failure),
    });
  sandbox.endpoints = sandbox.endpoints.filter((other) => other.endpointId !== endpointId);
}

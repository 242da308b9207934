import { existsSync } from 'node:fs';
import { CleanupStack, errorMessage } from '@gantry/sdk';
import { getLink } from '@gantry/sdk/linux/rtnetlink';
import type { EndpointRecord } from '../records/sandbox-record';
import { releaseAddresses } from './endpoint-addresses';
import { openSandboxNetlink, returnInterface } from './interface-setup';
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
    steps.push(() => giveBack(sandbox, endpoint));
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

/**
 * Puts the interface back where the driver had it, for drivers that leave that to the engine. With the sandbox it goes
 * by itself.
 */
async function giveBack({ key }: LiveSandbox, { interfaceName, sourceName }: EndpointRecord): Promise<void> {
  if (key === undefined || interfaceName === '' || sourceName === undefined || !existsSync(key)) return;
  const inside = openSandboxNetlink(key);
  try {
    const link = getLink(inside, interfaceName);
    if (link !== undefined) await returnInterface(inside, link.index, sourceName);
  } finally {
    inside.close();
  }
}

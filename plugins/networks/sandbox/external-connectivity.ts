import { type CleanupStack, EngineError, errorKind, errorMessage } from '@gantry/sdk';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import type { EndpointRecord } from '../records/sandbox-record';
import { endpointOptions } from './attach-endpoint';
import { type Candidate, electGateways } from './gateway-election';
import { setDefaultRoute } from './interface-setup';
import type { LiveSandbox } from './live-sandbox';
import type { SandboxDeps } from './sandbox-deps';

/** Elects the gateways anew, sets the default routes and publishes the ports through the elected endpoint. */
export async function updateExternal(
  deps: SandboxDeps,
  sandbox: LiveSandbox,
  socket: NetlinkSocket | undefined,
  undo: CleanupStack,
): Promise<void> {
  const candidates: Candidate[] = sandbox.endpoints.map((endpoint) => {
    const network = deps.networks.byId(endpoint.networkId);
    return { endpoint, networkName: network?.name ?? '', internal: network?.internal ?? true };
  });
  const elected = electGateways(candidates);
  if (socket !== undefined) {
    if (elected.ipv4)
      await setDefaultRoute(socket, elected.ipv4.endpoint.interfaceName, elected.ipv4.endpoint.gateway, true);
    if (elected.ipv6)
      await setDefaultRoute(socket, elected.ipv6.endpoint.interfaceName, elected.ipv6.endpoint.gatewayIPv6, true);
  }
  const chosen = (elected.ipv4 ?? elected.ipv6)?.endpoint;
  for (const endpoint of sandbox.endpoints)
    if (endpoint.external && endpoint.endpointId !== chosen?.endpointId) await revoke(deps, sandbox, endpoint);
  if (chosen !== undefined && !chosen.external) {
    const hasOtherIPv6Gateway = elected.ipv6 !== undefined && elected.ipv6.endpoint.endpointId !== chosen.endpointId;
    await program(deps, sandbox, chosen, hasOtherIPv6Gateway, undo);
  }
}

/** Takes every published port back. Failures go to the log. */
export async function revokeExternal(deps: SandboxDeps, sandbox: LiveSandbox): Promise<void> {
  for (const endpoint of sandbox.endpoints.filter((one) => one.external)) {
    try {
      await revoke(deps, sandbox, endpoint);
    } catch (error) {
      deps.log.error('unpublishing ports failed', {
        container: sandbox.request.containerId,
        error: errorMessage(error),
      });
    }
  }
}

async function program(
  deps: SandboxDeps,
  sandbox: LiveSandbox,
  endpoint: EndpointRecord,
  hasOtherIPv6Gateway: boolean,
  undo: CleanupStack,
): Promise<void> {
  const network = deps.networks.byId(endpoint.networkId)!;
  const driver = await deps.drivers.resolve(network.driver);
  if (driver.programExternalConnectivity === undefined) return;
  undo.push(() => driver.revokeExternalConnectivity?.(network.id, endpoint.endpointId));
  try {
    const boundPorts = await driver.programExternalConnectivity(network.id, endpoint.endpointId, {
      ...endpointOptions(sandbox, endpoint.request),
      ...(hasOtherIPv6Gateway ? { hasOtherIPv6Gateway } : {}),
    });
    replace(sandbox, { ...endpoint, boundPorts, external: true });
  } catch (error) {
    throw new EngineError(
      errorKind(error),
      `driver failed programming external connectivity on endpoint ${sandbox.request.containerName} (${endpoint.endpointId}): ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

async function revoke(deps: SandboxDeps, sandbox: LiveSandbox, endpoint: EndpointRecord): Promise<void> {
  const network = deps.networks.byId(endpoint.networkId);
  const driver = network && (await deps.drivers.resolve(network.driver));
  await driver?.revokeExternalConnectivity?.(endpoint.networkId, endpoint.endpointId);
  replace(sandbox, { ...endpoint, boundPorts: [], external: false });
}

function replace(sandbox: LiveSandbox, endpoint: EndpointRecord): void {
  sandbox.endpoints = sandbox.endpoints.map((other) => (other.endpointId === endpoint.endpointId ? endpoint : other));
}

import type { CleanupStack, EndpointRequest } from '@gantry/sdk';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import type { NetworkRecord } from '../records/network-record';
import type { EndpointRecord } from '../records/sandbox-record';
import { attachEndpoint } from './attach-endpoint';
import { detachEndpoint } from './detach-endpoint';
import type { LiveSandbox } from './live-sandbox';
import type { SandboxDeps } from './sandbox-deps';

/** As dockerd names it. */
export const GATEWAY_NETWORK = 'docker_gwbridge';

/**
 * Gives a sandbox whose networks lead nowhere a way out: an interface on a bridge of its own, which is made when it is
 * first needed; and takes it away when a network with a gateway has come. Drivers may ask not to have it (P-NET-7).
 */
export async function settleGatewayNetwork(
  deps: SandboxDeps,
  sandbox: LiveSandbox,
  socket: NetlinkSocket | undefined,
  undo: CleanupStack,
): Promise<void> {
  const present = sandbox.endpoints.find(({ automatic }) => automatic);
  const needed = needsGateway(sandbox.endpoints, (id) => deps.networks.byId(id));
  if (present !== undefined && !needed) await detachEndpoint(deps, sandbox, present);
  if (present !== undefined || !needed) return;
  const network = deps.networks.byName(GATEWAY_NETWORK) ?? (await makeNetwork(deps));
  const request: EndpointRequest = { network: network.id };
  const endpoint = await attachEndpoint(deps, sandbox, request, socket, undo);
  sandbox.endpoints = sandbox.endpoints.map((one) =>
    one === endpoint ? { ...one, automatic: true, dnsNames: [] } : one,
  );
}

/** Whether somebody wants a way out and nobody has one. */
export function needsGateway(
  endpoints: readonly EndpointRecord[],
  networkOf: (id: string) => NetworkRecord | undefined,
): boolean {
  const outward = endpoints.filter(({ automatic, networkId, interfaceName, disableGatewayService }) => {
    if (automatic || interfaceName === '' || disableGatewayService) return false;
    return networkOf(networkId)?.internal === false;
  });
  return (
    outward.length > 0 &&
    outward.every(({ gateway, gatewayIPv6, defaultRoute }) => gateway === '' && gatewayIPv6 === '' && !defaultRoute)
  );
}

async function makeNetwork(deps: SandboxDeps): Promise<NetworkRecord> {
  // Of several daemons on a machine only the one with the usual bridge may use the usual name.
  const device: Record<string, string> =
    deps.settings.bridge.name === 'docker0' ? { 'com.docker.network.bridge.name': GATEWAY_NETWORK } : {};
  try {
    return await deps.networks.create({
      name: GATEWAY_NETWORK,
      driver: 'bridge',
      internal: false,
      attachable: false,
      configOnly: false,
      configFrom: '',
      enableIPv4: true,
      enableIPv6: false,
      options: {
        ...device,
        'com.docker.network.bridge.enable_icc': 'false',
        'com.docker.network.bridge.enable_ip_masquerade': 'true',
      },
      labels: {},
      ipam: { driver: 'default', options: {}, config: [] },
    });
  } catch (error) {
    // Another sandbox may have been quicker.
    const made = deps.networks.byName(GATEWAY_NETWORK);
    if (made === undefined) throw error;
    return made;
  }
}

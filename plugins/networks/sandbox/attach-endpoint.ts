import { randomBytes } from 'node:crypto';
import {
  type CleanupStack,
  type EndpointOptions,
  type EndpointRequest,
  forbidden,
  type NetworkDriver,
  systemError,
} from '@gantry/sdk';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { newId } from '../networks/network-id';
import type { NetworkRecord } from '../records/network-record';
import type { EndpointRecord } from '../records/sandbox-record';
import { reserveAddresses } from './endpoint-addresses';
import { assertEndpointRequest, sysctlsOf } from './endpoint-check';
import { hasResolver } from './has-resolver';
import { setUpInterface } from './interface-setup';
import { freeInterfaceName, type LiveSandbox } from './live-sandbox';
import type { SandboxDeps } from './sandbox-deps';

const IFNAME_OPTION = 'com.docker.network.endpoint.ifname';

/**
 * Makes an endpoint on a network and joins the sandbox to it: address, driver endpoint, interface.
 * What was done is pushed on `undo` at once.
 *
 * @param socket netlink of the sandbox; absent for the host's namespace
 */
export async function attachEndpoint(
  deps: SandboxDeps,
  sandbox: LiveSandbox,
  request: EndpointRequest,
  socket: NetlinkSocket | undefined,
  undo: CleanupStack,
): Promise<EndpointRecord> {
  const network = deps.networks.getForUse(request.network);
  assertFits(sandbox, network);
  assertEndpointRequest(request, network);
  const endpointId = newId();
  sandbox.pending.set(endpointId, network.id);
  try {
    const driver = await deps.drivers.resolve(network.driver);
    const endpoint = await join(deps, sandbox, network, driver, endpointId, request, socket, undo);
    sandbox.endpoints = [...sandbox.endpoints, endpoint];
    undo.push(() => {
      sandbox.endpoints = sandbox.endpoints.filter((other) => other.endpointId !== endpointId);
    });
    return endpoint;
  } finally {
    sandbox.pending.delete(endpointId);
  }
}

export function endpointOptions(sandbox: LiveSandbox, request: EndpointRequest): EndpointOptions {
  return {
    exposedPorts: sandbox.request.exposedPorts,
    portMap: sandbox.request.portBindings,
    ...(sandbox.request.dns.length > 0 ? { dnsServers: sandbox.request.dns } : {}),
    ...(request.macAddress ? { macAddress: request.macAddress } : {}),
    generic: request.driverOpts ?? {},
  };
}

/** Names other containers of a user network find this one by. */
export function dnsNames(sandbox: LiveSandbox, network: NetworkRecord, request: EndpointRequest): string[] {
  if (!hasResolver(network)) return [];
  const { containerName, containerId, hostname } = sandbox.request;
  return [...new Set([containerName, ...(request.aliases ?? []), containerId.slice(0, 12), hostname])].filter(Boolean);
}

async function join(
  deps: SandboxDeps,
  sandbox: LiveSandbox,
  network: NetworkRecord,
  driver: NetworkDriver,
  endpointId: string,
  request: EndpointRequest,
  socket: NetlinkSocket | undefined,
  undo: CleanupStack,
): Promise<EndpointRecord> {
  const options = endpointOptions(sandbox, request);
  const ipam = await deps.ipam(network.ipam.driver);
  const macWish = request.macAddress || ((await ipam.capabilities()).requiresMacAddress ? randomMac() : '');
  const reachable = isIPv6Off(sandbox.request.sysctls) ? { ...network, enableIPv6: false } : network;
  const addresses = await reserveAddresses(ipam, reachable, request, macWish, undo);
  const wanted = { address: addresses.ipv4, addressIPv6: addresses.ipv6, macAddress: macWish };
  // Registered before the call: a driver that fails halfway is asked to clean up as well.
  undo.push(() => driver.deleteEndpoint(network.id, endpointId));
  const made = await driver.createEndpoint(network.id, endpointId, wanted, {
    ...options,
    ...(network.internal ? { isInternal: true } : {}),
  });
  for (const field of ['address', 'addressIPv6', 'macAddress'] as const)
    if (wanted[field] !== '' && made[field])
      throw systemError(`driver ${network.driver} changed the ${field} of endpoint ${endpointId}`);
  const iface = {
    address: wanted.address || made.address || '',
    addressIPv6: wanted.addressIPv6 || made.addressIPv6 || '',
    macAddress: wanted.macAddress || made.macAddress || '',
  };

  undo.push(() => driver.leave(network.id, endpointId));
  const joined = await driver.join(network.id, endpointId, sandbox.key ?? '', options);
  let interfaceName = '';
  if (joined.interfaceName !== undefined && sandbox.key !== undefined && socket !== undefined) {
    const { srcName, dstPrefix, dstName } = joined.interfaceName;
    interfaceName = request.driverOpts?.[IFNAME_OPTION] || dstName || freeInterfaceName(sandbox, dstPrefix);
    await setUpInterface(sandbox.key, socket, {
      srcName,
      name: interfaceName,
      ...iface,
      linkLocal: (request.linkLocalIps ?? []).map(linkLocalCidr),
      sysctls: sysctlsOf(request),
      routes: (joined.staticRoutes ?? []).map(({ destination, nextHop }) => ({ destination, nextHop })),
    });
  }
  return {
    endpointId,
    networkId: network.id,
    request,
    ...iface,
    gateway: joined.gateway ?? '',
    gatewayIPv6: joined.gatewayIPv6 ?? '',
    interfaceName,
    sourceName: joined.interfaceName?.srcName,
    dnsNames: dnsNames(sandbox, network, request),
    disableGatewayService: joined.disableGatewayService ?? false,
    defaultRoute: (joined.staticRoutes ?? []).some(({ destination }) => destination.endsWith('/0')),
    boundPorts: [],
    external: false,
  };
}

/** Locally administered, and of one interface (P-IPAM-5). */
function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = (bytes[0]! & 0xfc) | 0x02;
  return bytes.toString('hex').match(/../g)!.join(':');
}

/** The container switches IPv6 off: it has no use for an address. */
function isIPv6Off(sysctls: Readonly<Record<string, string>>): boolean {
  return ['all', 'default'].some((scope) => sysctls[`net.ipv6.conf.${scope}.disable_ipv6`] === '1');
}

/** With the prefix length of its family's link-local block. */
function linkLocalCidr(ip: string): string {
  return `${ip}/${ip.includes(':') ? 64 : 16}`;
}

function assertFits(sandbox: LiveSandbox, network: NetworkRecord): void {
  const name = sandbox.request.containerName;
  const usesHost = network.driver === 'host';
  if (usesHost !== (sandbox.request.kind === 'host'))
    throw forbidden(
      usesHost
        ? 'cannot connect container to host network - container must be created in host network mode'
        : 'cannot connect a container in host network mode to another network',
    );
  const networks = [...sandbox.endpoints.map((endpoint) => endpoint.networkId), ...sandbox.pending.values()];
  if (networks.includes(network.id))
    throw forbidden(`endpoint with name ${name} already exists in network ${network.name}`);
}

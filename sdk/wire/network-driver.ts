import type {
  DiscoveredNode,
  DriverNetworkOptions,
  EndpointInterface,
  EndpointOptions,
  IpamData,
  JoinResult,
  PortBinding,
} from '../contracts/network-driver';
import { arrayField, field, objectField, stringField, stringMapField } from './fields';
import { sortedMap } from './request-text';

const call = (name: string, repeatable: boolean) => ({
  method: `NetworkDriver.${name}`,
  timeoutMs: 60_000,
  repeatable,
});

/** How each method behaves on the wire. @see volumeDriverMethods */
export const networkDriverMethods = {
  capabilities: call('GetCapabilities', true),
  allocateNetwork: call('AllocateNetwork', false),
  freeNetwork: call('FreeNetwork', false),
  gwAllocCheck: call('GwAllocCheck', true),
  createNetwork: call('CreateNetwork', false),
  deleteNetwork: call('DeleteNetwork', false),
  createEndpoint: call('CreateEndpoint', false),
  deleteEndpoint: call('DeleteEndpoint', false),
  endpointInfo: call('EndpointOperInfo', true),
  join: call('Join', false),
  leave: call('Leave', false),
  programExternalConnectivity: call('ProgramExternalConnectivity', false),
  revokeExternalConnectivity: call('RevokeExternalConnectivity', false),
  discoverNew: call('DiscoverNew', true),
  discoverDelete: call('DiscoverDelete', true),
} as const;

/** `DiscoveryType` of a node, the only one that is told (P-NET-11). */
export const nodeDiscovery = 1;

/** Keys of the option maps (P-NET-3, P-NET-9). */
export const networkOptionKeys = {
  generic: 'com.docker.network.generic',
  enableIPv4: 'com.docker.network.enable_ipv4',
  enableIPv6: 'com.docker.network.enable_ipv6',
  internal: 'com.docker.network.internal',
  exposedPorts: 'com.docker.network.endpoint.exposedports',
  portMap: 'com.docker.network.portmap',
  noProxy6To4: 'com.docker.network.driver.private.no_proxy_6to4',
  dnsServers: 'com.docker.network.endpoint.dnsservers',
  macAddress: 'com.docker.network.endpoint.macaddress',
} as const;

const protoNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;
type Proto = keyof typeof protoNumbers;

function protoOf(value: unknown): Proto | undefined {
  return (Object.keys(protoNumbers) as Proto[]).find((name) => protoNumbers[name] === value);
}

/** The options of CreateNetwork. */
export function encodeNetworkOptions(options: DriverNetworkOptions): Record<string, unknown> {
  return {
    [networkOptionKeys.enableIPv4]: options.enableIPv4,
    [networkOptionKeys.enableIPv6]: options.enableIPv6,
    [networkOptionKeys.generic]: sortedMap(options.generic),
    ...(options.internal ? { [networkOptionKeys.internal]: true } : {}),
  };
}

/** The other way round; IPv4 is on unless it is switched off, as engines before 28 do not tell. */
export function decodeNetworkOptions(value: unknown): DriverNetworkOptions {
  return {
    generic: stringMapField(value, networkOptionKeys.generic),
    enableIPv4: field(value, networkOptionKeys.enableIPv4) !== false,
    enableIPv6: field(value, networkOptionKeys.enableIPv6) === true,
    internal: field(value, networkOptionKeys.internal) === true,
  };
}

/** Pools as CIDR strings; what is unset is absent (P-NET-2). */
export function encodeIpamData(data: readonly IpamData[]): object[] {
  return data.map((pool) => ({
    AddressSpace: pool.addressSpace,
    ...(Object.keys(pool.auxAddresses ?? {}).length > 0 ? { AuxAddresses: sortedMap(pool.auxAddresses!) } : {}),
    ...(pool.gateway ? { Gateway: pool.gateway } : {}),
    Pool: pool.pool,
  }));
}

/** The other way round; null is an empty list. */
export function decodeIpamData(body: unknown, name: 'IPv4Data' | 'IPv6Data'): IpamData[] {
  return arrayField(body, name).map((pool) => ({
    addressSpace: stringField(pool, 'AddressSpace'),
    pool: stringField(pool, 'Pool'),
    ...(stringField(pool, 'Gateway') === '' ? {} : { gateway: stringField(pool, 'Gateway') }),
    ...(objectField(pool, 'AuxAddresses') ? { auxAddresses: stringMapField(pool, 'AuxAddresses') } : {}),
  }));
}

/** Options of CreateEndpoint. */
export function encodeEndpointOptions(options: EndpointOptions): Record<string, unknown> {
  return sortedMap<unknown>({
    ...options.generic,
    ...(options.isInternal ? {} : portOptions(options)),
    ...(options.dnsServers?.length && !options.isInternal
      ? { [networkOptionKeys.dnsServers]: options.dnsServers }
      : {}),
    // Six bytes in base64, unlike the address of the interface.
    ...(options.macAddress
      ? {
          [networkOptionKeys.macAddress]: Buffer.from(options.macAddress.replaceAll(/[:-]/g, ''), 'hex').toString(
            'base64',
          ),
        }
      : {}),
  });
}

/** Options of Join: the ports of the sandbox, and nothing of the endpoint (P-NET-9). */
export function encodeSandboxOptions(options: EndpointOptions): Record<string, unknown> {
  return sortedMap<unknown>(portOptions(options));
}

/** Options of ProgramExternalConnectivity. */
export function encodeExternalOptions(options: EndpointOptions): Record<string, unknown> {
  return sortedMap<unknown>({
    ...portOptions(options),
    [networkOptionKeys.noProxy6To4]: options.hasOtherIPv6Gateway === true,
  });
}

const portOptions = ({ exposedPorts, portMap }: EndpointOptions) => ({
  [networkOptionKeys.exposedPorts]: exposedPorts.map(({ proto, port }) => ({ Proto: protoNumbers[proto], Port: port })),
  [networkOptionKeys.portMap]: portMap.map((binding) => ({
    Proto: protoNumbers[binding.proto],
    IP: '',
    Port: binding.port,
    HostIP: binding.hostIp,
    HostPort: binding.hostPort,
    HostPortEnd: binding.hostPortEnd,
  })),
});

/** The other way round. Ports of protocols we do not know are left out. */
export function decodeEndpointOptions(value: unknown): EndpointOptions {
  const generic: Record<string, string> = {};
  if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value))
      if (typeof item === 'string' && key !== networkOptionKeys.macAddress) generic[key] = item;
  const mac = Buffer.from(stringField(value, networkOptionKeys.macAddress), 'base64').toString('hex');
  const dnsServers = field(value, networkOptionKeys.dnsServers);
  return {
    generic,
    ...(Array.isArray(dnsServers) ? { dnsServers: dnsServers.map(String) } : {}),
    ...(mac.length === 12 ? { macAddress: mac.match(/../g)!.join(':') } : {}),
    ...(field(value, networkOptionKeys.noProxy6To4) === true ? { hasOtherIPv6Gateway: true } : {}),
    exposedPorts: arrayField(value, networkOptionKeys.exposedPorts).flatMap((item) => {
      const proto = protoOf(field(item, 'Proto'));
      return proto === undefined ? [] : [{ proto, port: numberField(item, 'Port') }];
    }),
    portMap: arrayField(value, networkOptionKeys.portMap).flatMap((item): PortBinding[] => {
      const proto = protoOf(field(item, 'Proto'));
      if (proto === undefined) return [];
      const hostPort = numberField(item, 'HostPort');
      return [
        {
          proto,
          port: numberField(item, 'Port'),
          hostIp: stringField(item, 'HostIP'),
          hostPort,
          hostPortEnd: numberField(item, 'HostPortEnd') || hostPort,
        },
      ];
    }),
  };
}

/** A node that came or went. */
export function encodeDiscovery(node: DiscoveredNode): object {
  return {
    DiscoveryType: nodeDiscovery,
    DiscoveryData: { Address: node.address, BindAddress: node.bindAddress, Self: node.self },
  };
}

/** The other way round. */
export function decodeDiscovery(body: unknown): DiscoveredNode {
  const data = field(body, 'DiscoveryData');
  return {
    address: stringField(data, 'Address'),
    bindAddress: stringField(data, 'BindAddress'),
    self: field(data, 'Self') === true,
  };
}

/** Empty strings for what is unset (P-NET-6). */
export function encodeInterface(iface: Partial<EndpointInterface>): object {
  return {
    Address: iface.address ?? '',
    AddressIPv6: iface.addressIPv6 ?? '',
    MacAddress: iface.macAddress ?? '',
  };
}

/** Empty strings for what is unset, null included. */
export function decodeInterface(value: unknown): EndpointInterface {
  return {
    address: stringField(value, 'Address'),
    addressIPv6: stringField(value, 'AddressIPv6'),
    macAddress: stringField(value, 'MacAddress'),
  };
}

/** The answer to Join (P-NET-7). */
export function encodeJoinResult(result: JoinResult): object {
  const { interfaceName } = result;
  return {
    ...(interfaceName === undefined
      ? {}
      : {
          InterfaceName: {
            SrcName: interfaceName.srcName,
            DstPrefix: interfaceName.dstPrefix,
            ...(interfaceName.dstName ? { DstName: interfaceName.dstName } : {}),
          },
        }),
    Gateway: result.gateway ?? '',
    GatewayIPv6: result.gatewayIPv6 ?? '',
    StaticRoutes: (result.staticRoutes ?? []).map((route) => ({
      Destination: route.destination,
      RouteType: route.routeType,
      NextHop: route.nextHop,
    })),
    DisableGatewayService: result.disableGatewayService ?? false,
  };
}

/** The other way round; an interface without a source name is none. */
export function decodeJoinResult(body: unknown): JoinResult {
  const names = field(body, 'InterfaceName');
  const srcName = stringField(names, 'SrcName');
  const dstName = stringField(names, 'DstName');
  const gateway = stringField(body, 'Gateway');
  const gatewayIPv6 = stringField(body, 'GatewayIPv6');
  return {
    ...(srcName === ''
      ? {}
      : {
          interfaceName: {
            srcName,
            dstPrefix: stringField(names, 'DstPrefix'),
            ...(dstName === '' ? {} : { dstName }),
          },
        }),
    ...(gateway === '' ? {} : { gateway }),
    ...(gatewayIPv6 === '' ? {} : { gatewayIPv6 }),
    staticRoutes: arrayField(body, 'StaticRoutes').map((route) => ({
      destination: stringField(route, 'Destination'),
      routeType: field(route, 'RouteType') === 1 ? 1 : 0,
      nextHop: stringField(route, 'NextHop'),
    })),
    disableGatewayService: field(body, 'DisableGatewayService') === true,
  };
}

function numberField(body: unknown, name: string): number {
  const value = field(body, name);
  return typeof value === 'number' && Number.isInteger(value) ? value : 0;
}

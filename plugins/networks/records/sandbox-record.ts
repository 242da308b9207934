import type { BoundPort, EndpointRequest, EndpointState, SandboxRequest, SandboxState } from '@gantry/sdk';

/** One attachment of a sandbox to a network. */
export interface EndpointRecord {
  readonly endpointId: string;
  readonly networkId: string;
  readonly request: EndpointRequest;
  /** CIDR or empty. */
  readonly address: string;
  readonly addressIPv6: string;
  readonly macAddress: string;
  /** Plain IPs the driver named, or empty. */
  readonly gateway: string;
  readonly gatewayIPv6: string;
  /** Name inside the sandbox; empty when the driver has no interface. */
  readonly interfaceName: string;
  /** Name the driver knows it by. */
  readonly sourceName?: string;
  readonly dnsNames: readonly string[];
  readonly disableGatewayService: boolean;
  /** A static route of the driver leads everywhere. */
  readonly defaultRoute?: boolean;
  /** Not asked for: the way out of a sandbox whose networks have none. Nobody is shown it. */
  readonly automatic?: boolean;
  readonly boundPorts: readonly BoundPort[];
  /** Whether ports are published through this endpoint. */
  readonly external: boolean;
}

/** A sandbox as it is kept below the exec root: it survives the daemon, not the machine. */
export interface SandboxRecord {
  readonly sandboxId: string;
  readonly key: string | undefined;
  readonly request: SandboxRequest;
  readonly endpoints: readonly EndpointRecord[];
}

export function endpointState(endpoint: EndpointRecord, networkName: string): EndpointState {
  const [ipAddress = '', ipPrefixLen = '0'] = endpoint.address.split('/');
  const [globalIPv6Address = '', globalIPv6PrefixLen = '0'] = endpoint.addressIPv6.split('/');
  return {
    networkId: endpoint.networkId,
    networkName,
    endpointId: endpoint.endpointId,
    gateway: endpoint.gateway,
    ipAddress,
    ipPrefixLen: Number(ipPrefixLen),
    ipv6Gateway: endpoint.gatewayIPv6,
    globalIPv6Address,
    globalIPv6PrefixLen: Number(globalIPv6PrefixLen),
    macAddress: endpoint.macAddress,
    dnsNames: endpoint.dnsNames,
    driverOpts: endpoint.request.driverOpts,
  };
}

export function sandboxState(record: SandboxRecord, networkName: (id: string) => string): SandboxState {
  const { filesDir } = record.request;
  return {
    sandboxId: record.sandboxId,
    key: record.key,
    hostnamePath: `${filesDir}/hostname`,
    hostsPath: `${filesDir}/hosts`,
    resolvConfPath: `${filesDir}/resolv.conf`,
    endpoints: record.endpoints
      .filter(({ automatic }) => !automatic)
      .map((endpoint) => endpointState(endpoint, networkName(endpoint.networkId))),
    ports: record.endpoints.flatMap((endpoint) => endpoint.boundPorts),
  };
}

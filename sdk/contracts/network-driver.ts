import { capability } from '../plugin/capability';

/** An address pool of a network, as the driver sees it. The first of a family is its main pool. */
export interface IpamData {
  readonly addressSpace: string;
  /** CIDR. */
  readonly pool: string;
  /** CIDR, such as `172.18.0.1/16`. */
  readonly gateway?: string;
  /** Name → CIDR. */
  readonly auxAddresses?: Readonly<Record<string, string>>;
}

/** Options of a network, in the shapes of P-NET-3. */
export interface DriverNetworkOptions {
  /** `-o key=value` of the user. */
  readonly generic: Readonly<Record<string, string>>;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly internal: boolean;
}

/** A port the user wants published. */
export interface PortBinding {
  readonly proto: 'tcp' | 'udp' | 'sctp';
  /** Port in the container. */
  readonly port: number;
  /** Empty = any. */
  readonly hostIp: string;
  /** 0 = choose one; with `hostPortEnd` above it a range to choose from. */
  readonly hostPort: number;
  readonly hostPortEnd: number;
}

/** Addresses of an endpoint. In a request empty means "the driver may choose". */
export interface EndpointInterface {
  /** CIDR; empty when unset. */
  readonly address: string;
  readonly addressIPv6: string;
  /** Colon form; empty when unset. */
  readonly macAddress: string;
}

/** What an endpoint is made and joined with (P-NET-9). */
export interface EndpointOptions {
  readonly exposedPorts: readonly { readonly proto: 'tcp' | 'udp' | 'sctp'; readonly port: number }[];
  readonly portMap: readonly PortBinding[];
  /** Name servers the user named; plain addresses. */
  readonly dnsServers?: readonly string[];
  /** The MAC address the user asked for, in colon form. */
  readonly macAddress?: string;
  /** The network is internal: plugins are not told about ports and name servers when they make the endpoint. */
  readonly isInternal?: boolean;
  /** Another endpoint of the container is its way out for IPv6; told when ports are programmed (P-NET-10). */
  readonly hasOtherIPv6Gateway?: boolean;
  /** Per-endpoint driver options as the user gave them. */
  readonly generic: Readonly<Record<string, string>>;
}

/** What the engine does in the sandbox after a join (P-NET-7). Addresses are plain IPs. */
export interface JoinResult {
  /** Moved into the sandbox and renamed to `dstPrefix` + index (or `dstName`). Absent: the driver has no interface. */
  readonly interfaceName?: { readonly srcName: string; readonly dstPrefix: string; readonly dstName?: string };
  readonly gateway?: string;
  readonly gatewayIPv6?: string;
  readonly staticRoutes?: readonly {
    readonly destination: string;
    readonly routeType: 0 | 1;
    readonly nextHop: string;
  }[];
  readonly disableGatewayService?: boolean;
}

/** What `programExternalConnectivity` really bound; shown by inspect. */
export interface BoundPort {
  readonly proto: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  readonly hostIp: string;
  readonly hostPort: number;
}

/**
 * Makes networks real. Same calls and order as the Docker network plugin protocol (section 5), in process.
 * Every delete and leave is repeatable: gone already is success.
 */
export interface NetworkDriver {
  capabilities(): Promise<{
    readonly scope: 'local' | 'global';
    readonly connectivityScope: 'local' | 'global';
    readonly gwAllocChecker?: boolean;
  }>;
  /** Which gateways need no address. Asked before `createNetwork` when `gwAllocChecker` is true (P-NET-5). */
  gwAllocCheck?(options: DriverNetworkOptions): Promise<{ readonly skipIPv4: boolean; readonly skipIPv6: boolean }>;
  createNetwork(
    networkId: string,
    options: DriverNetworkOptions,
    ipv4: readonly IpamData[],
    ipv6: readonly IpamData[],
  ): Promise<void>;
  deleteNetwork(networkId: string): Promise<void>;
  /**
   * Cluster managers ask it of `global` drivers. The answer is part of the options that the workers' `createNetwork`
   * gets (P-NET-4). Not there: the driver has nothing to allocate.
   */
  allocateNetwork?(
    networkId: string,
    options: Readonly<Record<string, string>>,
    ipv4: readonly IpamData[],
    ipv6: readonly IpamData[],
  ): Promise<Readonly<Record<string, string>>>;
  freeNetwork?(networkId: string): Promise<void>;
  /** A node of the cluster came or went (P-NET-11). */
  discover?(change: 'new' | 'delete', node: DiscoveredNode): Promise<void>;
  /** Fields of the answer are set only where the request left them empty (P-NET-6). */
  createEndpoint(
    networkId: string,
    endpointId: string,
    iface: EndpointInterface,
    options: EndpointOptions,
  ): Promise<Partial<EndpointInterface>>;
  deleteEndpoint(networkId: string, endpointId: string): Promise<void>;
  endpointInfo(networkId: string, endpointId: string): Promise<Readonly<Record<string, unknown>>>;
  join(networkId: string, endpointId: string, sandboxKey: string, options: EndpointOptions): Promise<JoinResult>;
  leave(networkId: string, endpointId: string): Promise<void>;
  programExternalConnectivity?(
    networkId: string,
    endpointId: string,
    options: EndpointOptions,
  ): Promise<readonly BoundPort[]>;
  revokeExternalConnectivity?(networkId: string, endpointId: string): Promise<void>;
  /**
   * All links of a network, each time they change: endpoints that reach the exposed ports of others even where the
   * network keeps its endpoints apart. In process only.
   */
  setLinks?(networkId: string, links: readonly EndpointLink[]): Promise<void>;
  /**
   * After a restart: the networks and endpoints that still exist, so that the driver can repair the kernel's
   * state and drop what belongs to nobody. Called once before any other call.
   */
  restore?(networks: readonly RestoredNetwork[]): Promise<void>;
}

/** An endpoint that reaches ports of another one. */
export interface EndpointLink {
  /** Endpoint id. */
  readonly from: string;
  /** Endpoint id. */
  readonly to: string;
  readonly ports: EndpointOptions['exposedPorts'];
}

/** A node of the cluster, as drivers learn about it. */
export interface DiscoveredNode {
  readonly address: string;
  readonly bindAddress: string;
  /** It is this node. */
  readonly self: boolean;
}

/** A network of an earlier run, with the endpoints of containers that still run. */
export interface RestoredNetwork {
  readonly networkId: string;
  readonly options: DriverNetworkOptions;
  readonly ipv4: readonly IpamData[];
  readonly ipv6: readonly IpamData[];
  readonly endpoints: readonly {
    readonly endpointId: string;
    readonly iface: EndpointInterface;
    readonly options: EndpointOptions;
    readonly sandboxKey: string;
    readonly boundPorts: readonly BoundPort[];
  }[];
}

export const NetworkDriver1 = capability<NetworkDriver>('network-driver/v1', 'many');

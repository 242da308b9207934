import { capability } from '../plugin/capability';
import type { BoundPort, PortBinding } from './network-driver';

/** A network as other plugins see it. */
export interface NetworkSummary {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly scope: 'local' | 'global' | 'swarm';
}

/** `EndpointSettings` of the Engine API as the user asked for it, in our names. */
export interface EndpointRequest {
  /** Name, id or unique id prefix. */
  readonly network: string;
  readonly aliases?: readonly string[];
  /** `container` or `container:alias`, resolved by the embedded DNS. */
  readonly links?: readonly string[];
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  /** Further plain addresses of the interface; the engine sets them, drivers do not see them. */
  readonly linkLocalIps?: readonly string[];
  readonly macAddress?: string;
  readonly driverOpts?: Readonly<Record<string, string>>;
  readonly gwPriority?: number;
}

/** What came of it. */
export interface EndpointState {
  readonly networkId: string;
  readonly networkName: string;
  readonly endpointId: string;
  readonly gateway: string;
  readonly ipAddress: string;
  readonly ipPrefixLen: number;
  readonly ipv6Gateway: string;
  readonly globalIPv6Address: string;
  readonly globalIPv6PrefixLen: number;
  readonly macAddress: string;
  readonly dnsNames: readonly string[];
  readonly driverOpts?: Readonly<Record<string, string>>;
}

/** Everything a container's network is made from. It is kept and used again on connect and after a restart. */
export interface SandboxRequest {
  readonly containerId: string;
  /** Without leading slash. */
  readonly containerName: string;
  /** `host`: no namespace of its own, only the three files. `private`: a namespace with these endpoints. */
  readonly kind: 'private' | 'host';
  readonly hostname: string;
  readonly domainname: string;
  readonly endpoints: readonly EndpointRequest[];
  readonly exposedPorts: readonly { readonly proto: 'tcp' | 'udp' | 'sctp'; readonly port: number }[];
  readonly portBindings: readonly PortBinding[];
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  /** `host:ip`; the ip may be `host-gateway`. */
  readonly extraHosts: readonly string[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** Directory (exists) in which hostname, hosts and resolv.conf are written. */
  readonly filesDir: string;
}

/** A sandbox that exists; a snapshot, taken anew after every change. */
export interface SandboxState {
  readonly sandboxId: string;
  /** Path of the network namespace file to put into the OCI spec; undefined for `host`. */
  readonly key: string | undefined;
  readonly hostnamePath: string;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
  readonly endpoints: readonly EndpointState[];
  readonly ports: readonly BoundPort[];
}

/** Networks, and the sandboxes of running containers. Calls for one container run one after the other. */
export interface NetworkManager {
  /** @throws not-found `network x not found`; @throws invalid-parameter the prefix is ambiguous */
  get(reference: string): Promise<NetworkSummary>;
  list(): readonly NetworkSummary[];
  /**
   * Checks what a container asks of a network before anything is made; a network that does not exist is not judged.
   * @throws invalid-parameter every problem of the endpoint, as dockerd words them
   */
  checkEndpoint(endpoint: EndpointRequest): void;
  /** Name of the network that `default` and an empty NetworkMode mean: `bridge`. */
  readonly defaultNetwork: string;
  /** Undoes everything when it fails. @throws not-found, conflict (port or address taken), system */
  openSandbox(request: SandboxRequest, signal: AbortSignal): Promise<SandboxState>;
  /** Endpoints, ports, DNS, namespace. Repeatable; collects failures and goes on. */
  closeSandbox(containerId: string): Promise<void>;
  sandbox(containerId: string): SandboxState | undefined;
  /** Connects a running container to one more network. @throws forbidden/conflict it is connected already */
  connect(containerId: string, endpoint: EndpointRequest): Promise<SandboxState>;
  disconnect(containerId: string, network: string, force: boolean): Promise<SandboxState | undefined>;
  /** The container was renamed: DNS answers by the new name. */
  rename(containerId: string, name: string): Promise<void>;
  /** After a restart: keeps and repairs the sandboxes of these containers and closes all others. Called once. */
  restore(runningContainerIds: ReadonlySet<string>): Promise<void>;
}

/** The network manager; exactly one plugin provides it. */
export const Networks1 = capability<NetworkManager>('networks/v1');

import type { EndpointInterface, EndpointOptions, IpamData } from '@gantry/sdk';
import type { BridgeOptions } from './bridge-options';
import type { BoundHostPort } from './ports/port-allocator';

export interface BridgeEndpoint {
  readonly endpointId: string;
  readonly iface: EndpointInterface;
  readonly options: EndpointOptions;
  /** Set by join. */
  sandboxKey: string;
  bound: readonly BoundHostPort[];
}

export interface BridgeNetwork {
  readonly networkId: string;
  readonly options: BridgeOptions;
  readonly ipv4: readonly IpamData[];
  readonly ipv6: readonly IpamData[];
  /** Index of the bridge interface. */
  index: number;
  readonly endpoints: Map<string, BridgeEndpoint>;
}

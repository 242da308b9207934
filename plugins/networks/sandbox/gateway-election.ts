import type { EndpointRecord } from '../records/sandbox-record';

export interface Candidate {
  readonly endpoint: EndpointRecord;
  readonly networkName: string;
  readonly internal: boolean;
}

export interface Elected {
  readonly ipv4: Candidate | undefined;
  readonly ipv6: Candidate | undefined;
}

/** Who gives the default route: highest priority first, then the first network name in order. */
export function electGateways(candidates: readonly Candidate[]): Elected {
  const ordered = candidates
    .filter(({ internal, endpoint }) => !internal && endpoint.interfaceName !== '')
    .sort(
      (a, b) =>
        (b.endpoint.request.gwPriority ?? 0) - (a.endpoint.request.gwPriority ?? 0) ||
        (a.networkName < b.networkName ? -1 : a.networkName > b.networkName ? 1 : 0),
    );
  return {
    ipv4: ordered.find(({ endpoint }) => endpoint.gateway !== ''),
    ipv6: ordered.find(({ endpoint }) => endpoint.gatewayIPv6 !== ''),
  };
}

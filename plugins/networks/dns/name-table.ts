/** An endpoint as the resolver knows it. */
export interface NamedEndpoint {
  readonly endpointId: string;
  /** As given; looked up without regard to case. The first is the container's name. */
  readonly names: readonly string[];
  readonly ipv4: Uint8Array | undefined;
  readonly ipv6: Uint8Array | undefined;
  /** Names that reverse lookups ask for, without the final dot. */
  readonly reverseNames: readonly string[];
}

interface NetworkNames {
  readonly byName: Map<string, NamedEndpoint[]>;
  readonly byReverse: Map<string, NamedEndpoint>;
  readonly byId: Map<string, NamedEndpoint>;
}

/** Who answers to which name, network by network. */
export class NameTable {
  private readonly networks = new Map<string, NetworkNames>();

  /** Enters an endpoint, or replaces what was entered for it. */
  set(networkId: string, endpoint: NamedEndpoint): void {
    this.delete(networkId, endpoint.endpointId);
    let names = this.networks.get(networkId);
    if (names === undefined) {
      names = { byName: new Map(), byReverse: new Map(), byId: new Map() };
      this.networks.set(networkId, names);
    }
    names.byId.set(endpoint.endpointId, endpoint);
    for (const name of endpoint.names) {
      const key = name.toLowerCase();
      names.byName.set(key, [...(names.byName.get(key) ?? []), endpoint]);
    }
    for (const name of endpoint.reverseNames) names.byReverse.set(name, endpoint);
  }

  delete(networkId: string, endpointId: string): void {
    const names = this.networks.get(networkId);
    const endpoint = names?.byId.get(endpointId);
    if (names === undefined || endpoint === undefined) return;
    names.byId.delete(endpointId);
    for (const name of endpoint.names) {
      const key = name.toLowerCase();
      const rest = (names.byName.get(key) ?? []).filter((other) => other.endpointId !== endpointId);
      if (rest.length > 0) names.byName.set(key, rest);
      else names.byName.delete(key);
    }
    for (const name of endpoint.reverseNames)
      if (names.byReverse.get(name)?.endpointId === endpointId) names.byReverse.delete(name);
    if (names.byId.size === 0) this.networks.delete(networkId);
  }

  /** @param name lower case */
  find(networkId: string, name: string): readonly NamedEndpoint[] {
    return this.networks.get(networkId)?.byName.get(name) ?? [];
  }

  /** @param reverseName such as `2.0.18.172.in-addr.arpa` */
  findReverse(networkId: string, reverseName: string): NamedEndpoint | undefined {
    return this.networks.get(networkId)?.byReverse.get(reverseName);
  }
}

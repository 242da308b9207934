import type { Logger } from '@gantry/sdk';
import { addressBytes, parseAddress, reverseName } from '../address/cidr';
import type { NetworkRegistry } from '../networks/network-registry';
import type { EndpointRecord } from '../records/sandbox-record';
import { hasResolver } from '../sandbox/has-resolver';
import type { LiveSandbox } from '../sandbox/live-sandbox';
import { DnsServer } from './dns-server';
import { NameTable } from './name-table';
import type { ResolverNetwork, ResolverView } from './resolver';

/** Keeps the names and the resolvers of sandboxes in step with their endpoints. */
export class SandboxNames {
  private readonly table = new NameTable();
  private readonly servers = new Map<string, DnsServer>();
  private readonly entered = new Map<string, readonly EndpointRecord[]>();

  constructor(
    private readonly networks: NetworkRegistry,
    private readonly log: Logger,
  ) {}

  /** Enters the endpoints a sandbox has now and opens its resolver when it needs one. Repeatable. */
  async update(sandbox: LiveSandbox): Promise<void> {
    const named = sandbox.endpoints.filter((endpoint) => this.isNamed(endpoint));
    const kept = new Set(named.map((endpoint) => endpoint.endpointId));
    for (const old of this.entered.get(sandbox.sandboxId) ?? [])
      if (!kept.has(old.endpointId)) this.table.delete(old.networkId, old.endpointId);
    for (const endpoint of named) this.table.set(endpoint.networkId, namedEndpoint(endpoint));
    this.entered.set(sandbox.sandboxId, named);

    if (sandbox.key === undefined) return;
    const server = this.servers.get(sandbox.sandboxId);
    if (named.length === 0) {
      server?.close();
      this.servers.delete(sandbox.sandboxId);
      return;
    }
    const view = this.viewOf(sandbox, named);
    if (server) server.update(view, sandbox.upstreams);
    else
      this.servers.set(
        sandbox.sandboxId,
        await DnsServer.open(sandbox.key, this.table, view, sandbox.upstreams, this.log),
      );
  }

  /** Forgets a sandbox and closes its sockets, which would keep its namespace alive. */
  remove(sandbox: LiveSandbox): void {
    for (const endpoint of this.entered.get(sandbox.sandboxId) ?? [])
      this.table.delete(endpoint.networkId, endpoint.endpointId);
    this.entered.delete(sandbox.sandboxId);
    this.servers.get(sandbox.sandboxId)?.close();
    this.servers.delete(sandbox.sandboxId);
  }

  close(): void {
    for (const server of this.servers.values()) server.close();
    this.servers.clear();
  }

  private isNamed(endpoint: EndpointRecord): boolean {
    const network = this.networks.byId(endpoint.networkId);
    return network !== undefined && hasResolver(network) && !endpoint.automatic;
  }

  private viewOf(sandbox: LiveSandbox, named: readonly EndpointRecord[]): ResolverView {
    const networks = named.map(
      (endpoint): ResolverNetwork => ({
        networkId: endpoint.networkId,
        networkName: this.networks.byId(endpoint.networkId)?.name ?? '',
        links: linksOf(endpoint),
      }),
    );
    const internalOnly = sandbox.endpoints.every(({ networkId }) => this.networks.byId(networkId)?.internal ?? false);
    return { networks, mayForward: !internalOnly, ndotsSet: setsNdots(sandbox.request.dnsOptions) };
  }
}

function namedEndpoint(endpoint: EndpointRecord) {
  const plain = [endpoint.address, endpoint.addressIPv6].map((cidr) => cidr.split('/')[0]!);
  const [ipv4, ipv6] = plain.map((ip) => (ip === '' ? undefined : addressBytes(parseAddress(ip))));
  return {
    endpointId: endpoint.endpointId,
    names: endpoint.dnsNames,
    ipv4,
    ipv6,
    reverseNames: plain.filter(Boolean).map((ip) => reverseName(parseAddress(ip))),
  };
}

/** `container:alias` or `container`, as `--link` has them. */
function linksOf(endpoint: EndpointRecord): Map<string, string> {
  return new Map(
    (endpoint.request.links ?? []).map((link) => {
      const [container = '', alias = container] = link.toLowerCase().replace(/^\//, '').split(':');
      return [alias, container];
    }),
  );
}

function setsNdots(options: readonly string[]): boolean {
  return options.some((option) => /^ndots:[1-9]\d*$/.test(option));
}

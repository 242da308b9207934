import { errorMessage, type Logger } from '@gantry/sdk';
import type { GatewayMode } from '../bridge-options';

/** What the packet filter must know about a network. */
export interface FirewallNetwork {
  readonly bridgeName: string;
  /** CIDR. */
  readonly subnets4: readonly string[];
  readonly subnets6: readonly string[];
  readonly icc: boolean;
  readonly masquerade: boolean;
  readonly internal: boolean;
  readonly gatewayMode4: GatewayMode;
  readonly gatewayMode6: GatewayMode;
  /** Source address of what leaves; empty = masquerade. */
  readonly sourceIp4: string;
  readonly sourceIp6: string;
  readonly trustedInterfaces: readonly string[];
}

/** A published port. */
export interface FirewallPort {
  readonly proto: 'tcp' | 'udp' | 'sctp';
  /** Host address; empty = any of the family of `targetIp`. */
  readonly hostIp: string;
  /** 0 = not translated: the container's own address is open at this port. */
  readonly hostPort: number;
  readonly targetIp: string;
  readonly targetPort: number;
  /** Open for this address only, also where a network keeps its containers apart; for ports that are not translated. */
  readonly sourceIp?: string;
}

/** What the settings say about all rules. */
export interface FilterOptions {
  /** Which families are filtered and translated at all. */
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /** `mark` or `mark/mask` of packets that may always reach containers; empty = none. */
  readonly acceptFwmark: string;
}

/** What the kernel must hold. */
export interface FilterContent {
  readonly networks: ReadonlyMap<string, FirewallNetwork>;
  ports(): readonly FirewallPort[];
}

/** Ports that came or went, in order. */
export type PortChange = { readonly add: readonly FirewallPort[] } | { readonly remove: readonly FirewallPort[] };

/** A way to keep rules in the kernel. Calls never overlap. */
export interface FilterBackend {
  /** Changes published ports and nothing else, all or none. What it rejects is written whole by `write`. */
  changePorts(changes: readonly PortChange[]): Promise<void>;
  /** Makes the kernel hold the content and nothing else of ours; what the operator wrote stays. */
  write(): Promise<void>;
  /** Whether anything of ours is in the kernel, such as what an earlier daemon has left. */
  isPresent(): Promise<boolean>;
  /** Ends the watch over the rules. @param remove take them away, but for what the operator wrote */
  close(remove: boolean): Promise<void>;
}

/** The chain that belongs to the operator: asked first about everything forwarded, and never flushed. */
export const OPERATOR_CHAIN = 'DOCKER-USER';

/**
 * The daemon's own rules. What they must be is kept here; changes that come while one is under way go together into the
 * next one. When a change fails, or somebody else changed or flushed the rules, all of them are written anew.
 */
export class PacketFilter {
  private readonly networks = new Map<string, FirewallNetwork>();
  private readonly endpointPorts = new Map<string, readonly FirewallPort[]>();
  private pending: { readonly changes: PortChange[]; whole: boolean; done: Promise<void> } | undefined;
  private running: Promise<void> = Promise.resolve();
  private readonly backend: FilterBackend | undefined;

  /** @param open makes the backend; undefined = the operator looks after the rules */
  constructor(
    open: ((content: FilterContent, heal: () => Promise<void>) => FilterBackend) | undefined,
    private readonly log: Logger,
  ) {
    const ports = () => [...this.endpointPorts.values()].flat();
    this.backend = open?.({ networks: this.networks, ports }, () => this.change([], true));
  }

  async setNetwork(networkId: string, network: FirewallNetwork): Promise<void> {
    this.networks.set(networkId, network);
    await this.change([], true);
  }

  async deleteNetwork(networkId: string): Promise<void> {
    if (this.networks.delete(networkId)) await this.change([], true);
  }

  async publish(endpointId: string, ports: readonly FirewallPort[]): Promise<void> {
    if (ports.length === 0) return;
    this.endpointPorts.set(endpointId, ports);
    await this.change([{ add: ports }], false);
  }

  async unpublish(endpointId: string): Promise<void> {
    const ports = this.endpointPorts.get(endpointId);
    if (!this.endpointPorts.delete(endpointId) || ports === undefined) return;
    await this.change([{ remove: ports }], false);
  }

  /** Sets everything at once, as after a restart. */
  async replaceAll(
    networks: ReadonlyMap<string, FirewallNetwork>,
    ports: ReadonlyMap<string, readonly FirewallPort[]>,
  ): Promise<void> {
    this.networks.clear();
    this.endpointPorts.clear();
    for (const [id, network] of networks) this.networks.set(id, network);
    for (const [id, list] of ports) this.endpointPorts.set(id, list);
    // A daemon without bridge networks needs no rules; those that are there may be of what is no more.
    if (networks.size === 0 && !(await this.backend?.isPresent())) return;
    await this.change([], true);
  }

  /** @param remove no container needs the rules. What the operator wrote stays */
  async close(remove: boolean): Promise<void> {
    await this.running;
    await this.backend?.close(remove);
  }

  private change(changes: readonly PortChange[], whole: boolean): Promise<void> {
    if (this.backend === undefined) return Promise.resolve();
    if (this.pending === undefined) {
      const batch = { changes: [] as PortChange[], whole: false, done: this.running };
      batch.done = this.running.then(() => {
        this.pending = undefined;
        return this.apply(this.backend!, batch.changes, batch.whole);
      });
      this.running = batch.done.catch(() => undefined);
      this.pending = batch;
    }
    this.pending.changes.push(...changes);
    this.pending.whole ||= whole;
    return this.pending.done;
  }

  private async apply(backend: FilterBackend, changes: readonly PortChange[], whole: boolean): Promise<void> {
    if (!whole) {
      try {
        return await backend.changePorts(changes);
      } catch (error) {
        this.log.warn('a change of the packet filter failed, writing all rules anew', { error: errorMessage(error) });
      }
    }
    await backend.write();
  }
}

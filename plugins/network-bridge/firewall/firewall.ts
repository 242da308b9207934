import { errorMessage, type Logger } from '@gantry/sdk';
import type { NetlinkMessage, NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { deleteTable, nftTransaction } from '@gantry/sdk/linux/nftables';
import { countRules, listChains, listSets } from '@gantry/sdk/linux/nftables-listing';
import { DriftWatch } from './drift-watch';
import { addPorts, deletePorts, expectedElements } from './elements';
import { ForwardPolicy } from './forward-policy';
import type { FirewallNetwork } from './network-rules';
import { runNft } from './nft';
import {
  emptyScript,
  type FirewallPort,
  OPERATOR_CHAIN,
  type TableContent,
  type TableOptions,
  tableScript,
} from './ruleset';

/**
 * The daemon's own nft table. What it must hold is kept here; changes that come while one transaction runs go
 * together into the next one. When a change fails, or somebody else changed or flushed the table, the whole of it
 * is written anew.
 */
export class Firewall {
  private readonly networks = new Map<string, FirewallNetwork>();
  private readonly ports = new Map<string, readonly FirewallPort[]>();
  private pending: { readonly messages: NetlinkMessage[]; whole: boolean; done: Promise<void> } | undefined;
  private running: Promise<void> = Promise.resolve();
  private readonly watch: DriftWatch | undefined;
  private readonly policy: ForwardPolicy;

  private readonly enabled: boolean;

  /**
   * @param options with neither family managed the operator looks after the rules
   * @param socket  netlink of protocol NETLINK_NETFILTER, owned by the caller
   */
  constructor(
    private readonly table: string,
    private readonly options: TableOptions,
    private readonly socket: NetlinkSocket,
    private readonly log: Logger,
  ) {
    this.enabled = options.ipv4 || options.ipv6;
    this.policy = new ForwardPolicy(table, options, log);
    if (this.enabled)
      this.watch = new DriftWatch(table, log, {
        expected: () => expectedElements([...this.ports.values()].flat()),
        heal: () => this.change([], true),
        foreignChange: () => this.policy.update(this.bridges()),
      });
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
    this.ports.set(endpointId, ports);
    await this.change(addPorts(this.table, ports), false);
  }

  async unpublish(endpointId: string): Promise<void> {
    const ports = this.ports.get(endpointId);
    if (!this.ports.delete(endpointId) || ports === undefined) return;
    await this.change(deletePorts(this.table, ports), false);
  }

  /** Sets everything at once, as after a restart. */
  async replaceAll(
    networks: ReadonlyMap<string, FirewallNetwork>,
    ports: ReadonlyMap<string, readonly FirewallPort[]>,
  ): Promise<void> {
    this.networks.clear();
    this.ports.clear();
    for (const [id, network] of networks) this.networks.set(id, network);
    for (const [id, list] of ports) this.ports.set(id, list);
    // A daemon without bridge networks needs no table; one that is there may be full of what is no longer true.
    if (networks.size === 0 && this.content().chains.length === 0) return;
    await this.change([], true);
  }

  /** @param remove take the table away: no container needs it. What the operator wrote into it stays */
  async close(remove: boolean): Promise<void> {
    this.watch?.close();
    await this.running;
    if (!remove || !this.enabled) return;
    await this.policy.remove();
    if (countRules(this.socket, 'inet', this.table, OPERATOR_CHAIN) > 0) {
      await runNft(emptyScript(this.table, this.content()));
      return;
    }
    await nftTransaction(this.socket, [deleteTable('inet', this.table)]).catch((error) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }

  private content(): TableContent {
    return {
      chains: listChains(this.socket, 'inet', this.table),
      sets: listSets(this.socket, 'inet', this.table),
    };
  }

  private bridges(): string[] {
    return [...this.networks.values()].map((network) => network.bridgeName);
  }

  private change(messages: readonly NetlinkMessage[], whole: boolean): Promise<void> {
    if (!this.enabled) return Promise.resolve();
    if (this.pending === undefined) {
      const batch = { messages: [] as NetlinkMessage[], whole: false, done: this.running };
      batch.done = this.running.then(() => {
        this.pending = undefined;
        return this.apply(batch.messages, batch.whole);
      });
      this.running = batch.done.catch(() => undefined);
      this.pending = batch;
    }
    this.pending.messages.push(...messages);
    this.pending.whole ||= whole;
    return this.pending.done;
  }

  private async apply(messages: readonly NetlinkMessage[], whole: boolean): Promise<void> {
    if (!whole) {
      try {
        await this.watch!.whileWriting(false, () => nftTransaction(this.socket, messages));
        return;
      } catch (error) {
        this.log.warn('a change of the packet filter failed, writing the whole table anew', {
          table: this.table,
          error: errorMessage(error),
        });
      }
    }
    const ports = [...this.ports.values()].flat();
    await this.watch!.whileWriting(true, () => {
      const script = tableScript(this.table, this.networks.values(), ports, this.content(), this.options);
      // Somebody who changes the table at this very moment makes the script wrong: then it is written again.
      return runNft(script).catch(() =>
        runNft(tableScript(this.table, this.networks.values(), ports, this.content(), this.options)),
      );
    });
    this.policy.update(this.bridges());
  }
}

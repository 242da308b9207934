import type { Logger } from '@gantry/sdk';
import type { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { deleteTable, nftTransaction } from '@gantry/sdk/linux/nftables';
import { countRules, listChains, listSets } from '@gantry/sdk/linux/nftables-listing';
import {
  type FilterBackend,
  type FilterContent,
  type FilterOptions,
  OPERATOR_CHAIN,
  type PortChange,
} from '../packet-filter';
import { DriftWatch } from './drift-watch';
import { addPorts, deletePorts, expectedElements } from './elements';
import { ForwardPolicy } from './forward-policy';
import { runNft } from './nft';
import { emptyScript, type TableContent, tableScript } from './ruleset';

/** Rules in an nft table of the daemon's own, published ports in its maps. */
export class NftBackend implements FilterBackend {
  private readonly watch: DriftWatch;
  private readonly policy: ForwardPolicy;

  /** @param socket netlink of protocol NETLINK_NETFILTER, closed with this */
  constructor(
    private readonly table: string,
    private readonly options: FilterOptions,
    private readonly socket: NetlinkSocket,
    log: Logger,
    private readonly content: FilterContent,
    heal: () => Promise<void>,
  ) {
    this.policy = new ForwardPolicy(table, options, log);
    this.watch = new DriftWatch(table, log, {
      expected: () => expectedElements(content.ports()),
      heal,
      foreignChange: () => this.policy.update(this.bridges()),
    });
  }

  changePorts(changes: readonly PortChange[]): Promise<void> {
    const messages = changes.flatMap((change) =>
      'add' in change ? addPorts(this.table, change.add) : deletePorts(this.table, change.remove),
    );
    return this.watch.whileWriting(false, () => nftTransaction(this.socket, messages));
  }

  async write(): Promise<void> {
    const ports = this.content.ports();
    const networks = [...this.content.networks.values()];
    await this.watch.whileWriting(true, () => {
      const script = () => tableScript(this.table, networks, ports, this.present(), this.options);
      // Somebody who changes the table at this very moment makes the script wrong: then it is written again.
      return runNft(script()).catch(() => runNft(script()));
    });
    this.policy.update(this.bridges());
  }

  async isPresent(): Promise<boolean> {
    return this.present().chains.length > 0;
  }

  async close(remove: boolean): Promise<void> {
    this.watch.close();
    try {
      if (remove) await this.remove();
    } finally {
      this.socket.close();
    }
  }

  private async remove(): Promise<void> {
    await this.policy.remove();
    if (countRules(this.socket, 'inet', this.table, OPERATOR_CHAIN) > 0) {
      await runNft(emptyScript(this.table, this.present()));
      return;
    }
    await nftTransaction(this.socket, [deleteTable('inet', this.table)]).catch((error) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    });
  }

  private present(): TableContent {
    return {
      chains: listChains(this.socket, 'inet', this.table),
      sets: listSets(this.socket, 'inet', this.table),
    };
  }

  private bridges(): string[] {
    return [...this.content.networks.values()].map((network) => network.bridgeName);
  }
}

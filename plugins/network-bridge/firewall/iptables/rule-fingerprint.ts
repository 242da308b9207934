import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { NETLINK_NETFILTER } from '@gantry/sdk/linux/nftables';
import { tableFingerprint } from '@gantry/sdk/linux/nftables-listing';
import { xtablesSize } from '@gantry/sdk/linux/xtables';
import { OPERATOR_CHAIN } from '../packet-filter';
import type { Family } from './rules';

const tables = ['raw', 'nat', 'filter'] as const;

/** A text that changes with the rules of iptables, and costs no process to take. */
export class RuleFingerprint {
  private constructor(
    private readonly socket: NetlinkSocket | undefined,
    private readonly families: readonly Family[],
  ) {}

  /** @param isNft the program keeps its rules in nf_tables, as all newer ones do */
  static open(isNft: boolean, families: readonly Family[]): RuleFingerprint {
    return new RuleFingerprint(isNft ? NetlinkSocket.open(NETLINK_NETFILTER) : undefined, families);
  }

  take(): string {
    const { socket } = this;
    const of = (family: Family, table: string) =>
      socket === undefined
        ? xtablesSize(family, table)
        : tableFingerprint(socket, family === 'ipv4' ? 'ip' : 'ip6', table, OPERATOR_CHAIN);
    return this.families.flatMap((family) => tables.map((table) => of(family, table) ?? '')).join('\n');
  }

  close(): void {
    this.socket?.close();
  }
}

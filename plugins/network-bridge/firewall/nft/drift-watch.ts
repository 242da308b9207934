import { errorMessage, type Logger } from '@gantry/sdk';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { NETLINK_NETFILTER } from '@gantry/sdk/linux/nftables';
import { listElements, rulesetGeneration, tableFingerprint } from '@gantry/sdk/linux/nftables-listing';
import { ChangeWatch } from '../change-watch';
import { OPERATOR_CHAIN } from '../packet-filter';
import type { MapName } from './ruleset';

export interface DriftEvents {
  /** What the maps must hold, sorted. */
  expected(): ReadonlyMap<MapName, readonly string[]>;
  /** The table is not what it was; the watch goes on when it has settled. */
  heal(): Promise<void>;
  /** Somebody else changed anything in the ruleset. */
  foreignChange(): void;
}

/**
 * Notices that somebody flushed or changed our table: rules, chains or elements. The number of the ruleset grows with
 * every transaction; only when it has grown by more than our own did, the table itself is looked at.
 */
export class DriftWatch {
  private readonly socket = NetlinkSocket.open(NETLINK_NETFILTER);
  private changes: ChangeWatch | undefined;
  private generation = -1;
  private ownChanges = 0;
  private fingerprint: string | undefined;
  private writing = 0;
  private closed = false;

  constructor(
    private readonly table: string,
    private readonly log: Logger,
    private readonly events: DriftEvents,
  ) {}

  /** Runs one transaction of ours, blind to the table meanwhile. @param rules it changes more than elements */
  async whileWriting(rules: boolean, work: () => Promise<void>): Promise<void> {
    this.writing++;
    try {
      await work();
      this.ownChanges++;
      if (rules && !this.closed) this.remember();
    } finally {
      this.writing--;
    }
  }

  close(): void {
    this.closed = true;
    this.changes?.close();
    this.socket.close();
  }

  private remember(): void {
    this.fingerprint = tableFingerprint(this.socket, 'inet', this.table, OPERATOR_CHAIN);
    this.changes ??= new ChangeWatch(true, this.log, () => this.check());
  }

  private check(): void {
    if (this.writing > 0) {
      this.changes?.nudge();
      return;
    }
    const generation = rulesetGeneration(this.socket);
    const foreign = generation !== this.generation + this.ownChanges;
    this.generation = generation;
    this.ownChanges = 0;
    if (!foreign) return;
    this.events.foreignChange();
    if (this.isIntact()) return;
    this.log.warn('the packet filter was changed by somebody else, writing our table anew', { table: this.table });
    this.events.heal().catch((error) => {
      this.generation = -1; // Looked at again before long.
      this.changes?.nudge(1000);
      this.log.error('our table could not be written', { table: this.table, error: errorMessage(error) });
    });
  }

  private isIntact(): boolean {
    if (tableFingerprint(this.socket, 'inet', this.table, OPERATOR_CHAIN) !== this.fingerprint) return false;
    for (const [name, wanted] of this.events.expected()) {
      const found = listElements(this.socket, 'inet', this.table, name)?.sort();
      if (found === undefined || found.length !== wanted.length || found.some((one, i) => one !== wanted[i]))
        return false;
    }
    return true;
  }
}

import { errorMessage, type Logger } from '@gantry/sdk';
import { NetlinkSocket } from '@gantry/sdk/linux/netlink';
import { NETLINK_NETFILTER, rulesetGeneration, tableFingerprint } from '@gantry/sdk/linux/nftables';

const INTERVAL_MS = 1000;

/**
 * Notices that somebody flushed or changed our table. Asking for the number of the ruleset costs a system call
 * of a microsecond; only when it has changed the table itself is looked at.
 */
export class DriftWatch {
  private readonly socket = NetlinkSocket.open(NETLINK_NETFILTER);
  private timer: NodeJS.Timeout | undefined;
  private generation = -1;
  private expected: string | undefined;
  private writing = false;
  private closed = false;

  /**
   * @param heal      called when the table is not what it was; the watch goes on when it has settled
   * @param onForeignChange  called after somebody else changed anything in the ruleset
   */
  constructor(
    private readonly table: string,
    private readonly log: Logger,
    private readonly heal: () => Promise<void>,
    private readonly onForeignChange: () => void,
  ) {}

  /** Runs what writes the table, blind to it meanwhile; what the table looks like afterwards is right. */
  async whileWriting(work: () => Promise<void>): Promise<void> {
    this.writing = true;
    try {
      await work();
      if (!this.closed) this.remember();
    } finally {
      this.writing = false;
    }
  }

  private remember(): void {
    this.expected = tableFingerprint(this.socket, 'inet', this.table);
    this.timer ??= setInterval(() => this.check(), INTERVAL_MS).unref();
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    this.timer = undefined;
    this.socket.close();
  }

  private check(): void {
    if (this.writing) return;
    try {
      const generation = rulesetGeneration(this.socket);
      if (generation.number === this.generation) return;
      this.generation = generation.number;
      if (generation.changedBy !== process.pid) this.onForeignChange();
      if (tableFingerprint(this.socket, 'inet', this.table) === this.expected) return;
      this.log.warn('the packet filter was changed by somebody else, writing our table anew', { table: this.table });
      this.heal().catch((error) => {
        this.generation = -1; // Tried again at the next look.
        this.log.error('our table could not be written', { table: this.table, error: errorMessage(error) });
      });
    } catch (error) {
      this.log.warn('the packet filter could not be looked at', { error: errorMessage(error) });
    }
  }
}

import { errorMessage, type Logger } from '@gantry/sdk';
import { NFTABLES_GROUP, watchNetlinkGroup } from '@gantry/sdk/linux/netlink-watch';
import { NETLINK_NETFILTER } from '@gantry/sdk/linux/nftables';

/** From the first news to the look: a burst of changes is looked at once. */
const PAUSE_MS = 400;
/** What was not told, as when the kernel had no memory left for it. */
const RARELY_MS = 30_000;
/** Where nobody tells, or after a failure. */
const OFTEN_MS = 500;

/** Looks at the packet filter after the kernel has told of a change; when nothing changes, next to nothing runs. */
export class ChangeWatch {
  private readonly news: { close(): void } | undefined;
  private readonly timer: NodeJS.Timeout;
  private soon: NodeJS.Timeout | undefined;
  private closed = false;

  /** @param told whether the kernel tells of changes of these rules; those of the old iptables go unannounced */
  constructor(
    told: boolean,
    private readonly log: Logger,
    private readonly look: () => void | Promise<void>,
  ) {
    this.news = told ? this.listen() : undefined;
    this.timer = setInterval(() => void this.run(), this.news ? RARELY_MS : OFTEN_MS).unref();
  }

  /** Looks before long. */
  nudge(delayMs = PAUSE_MS): void {
    if (this.soon !== undefined || this.closed) return;
    this.soon = setTimeout(() => void this.run(), delayMs).unref();
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    clearTimeout(this.soon);
    this.news?.close();
  }

  private listen(): { close(): void } | undefined {
    try {
      return watchNetlinkGroup(NETLINK_NETFILTER, NFTABLES_GROUP, () => this.nudge());
    } catch (error) {
      this.log.warn('the kernel does not tell of changes of the packet filter', { error: errorMessage(error) });
      return undefined;
    }
  }

  private async run(): Promise<void> {
    clearTimeout(this.soon);
    this.soon = undefined;
    try {
      await this.look();
    } catch (error) {
      this.log.warn('the packet filter could not be looked at', { error: errorMessage(error) });
      this.nudge(OFTEN_MS);
    }
  }
}

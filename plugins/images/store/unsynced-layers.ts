import { readFile } from 'node:fs/promises';
import type { Logger } from '@gantry/sdk';

const bootIdFile = '/proc/sys/kernel/random/boot_id';

/** This start of the machine: what a page cache holds lives exactly as long. */
export async function currentBoot(): Promise<string> {
  return (await readFile(bootIdFile, 'utf8')).trim();
}

/**
 * Layers that are in their place but perhaps not on the disk: one flush, a moment after the last of them came, serves
 * them all. Whoever made a layer need not wait for what the rest of the machine has yet to write.
 */
export class UnsyncedLayers {
  private readonly waiting = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;

  /** @param onSynced called with those that are safe now */
  constructor(
    private readonly sync: () => Promise<void>,
    private readonly onSynced: (chainIds: readonly string[]) => Promise<void>,
    private readonly log: Logger,
    private readonly delayMs = 1000,
  ) {}

  add(chainId: string): void {
    this.waiting.add(chainId);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.flush().catch((error: unknown) =>
        this.log.warn('layers could not be written to the disk yet', { error: String(error) }),
      );
    }, this.delayMs);
    this.timer.unref();
  }

  forget(chainId: string): void {
    this.waiting.delete(chainId);
  }

  /** Resolves when everything added before the call is on the disk. @throws what the flush throws; they wait on */
  async flush(): Promise<void> {
    while (this.running !== undefined) await this.running.catch(() => {});
    if (this.waiting.size === 0) return;
    this.running = this.flushOnce([...this.waiting]).finally(() => {
      this.running = undefined;
    });
    await this.running;
  }

  /** Waits for nothing: the records of those that are not safe yet tell the next start. */
  close(): void {
    clearTimeout(this.timer);
  }

  private async flushOnce(chainIds: readonly string[]): Promise<void> {
    await this.sync();
    const safe = chainIds.filter((chainId) => this.waiting.delete(chainId));
    await this.onSynced(safe);
  }
}

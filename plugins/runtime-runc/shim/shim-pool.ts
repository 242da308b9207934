import { randomBytes } from 'node:crypto';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@gantry/sdk';
import { errorMessage } from '@gantry/sdk';
import { discardShim, type Shim, startShim } from './shim';

interface Warm {
  readonly shim: Shim;
  readonly directory: string;
}

/** After this long without a new container the spare shims are ended: an idle daemon owns none. */
const IDLE_MS = 60_000;

/** The container that took a shim is being started: its processes come first. */
const REFILL_MS = 80;

/**
 * Shims that are started and answer before a container asks for one, which saves its start about 10 ms.
 * Filled by demand: the first container starts its own, the spares follow in the background.
 */
export class ShimPool {
  private readonly warm: Warm[] = [];
  private starting = 0;
  private idleTimer: NodeJS.Timeout | undefined;
  private refillTimer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly binary: string,
    private readonly directory: string,
    private readonly size: number,
    private readonly log: Logger,
  ) {}

  /** A shim whose directory is now `bundle`. The caller owns both. */
  async take(bundle: string): Promise<Shim> {
    for (let entry = this.warm.pop(); entry !== undefined; entry = this.warm.pop()) {
      if (entry.shim.service.client.usable) {
        this.refillSoon();
        await rename(entry.directory, bundle);
        return entry.shim;
      }
      await discardShim(entry.shim, entry.directory);
    }
    const shim = await startShim(this.binary, bundle);
    this.refillSoon();
    return shim;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.drain();
  }

  private async drain(): Promise<void> {
    clearTimeout(this.idleTimer);
    clearTimeout(this.refillTimer);
    this.refillTimer = undefined;
    await Promise.all(this.warm.splice(0).map(({ shim, directory }) => discardShim(shim, directory)));
  }

  private refillSoon(): void {
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => void this.drain(), IDLE_MS);
    this.idleTimer.unref();
    if (this.refillTimer !== undefined) return;
    this.refillTimer = setTimeout(() => {
      this.refillTimer = undefined;
      void this.refill();
    }, REFILL_MS);
    this.refillTimer.unref();
  }

  private async refill(): Promise<void> {
    while (!this.closed && this.warm.length + this.starting < this.size) {
      this.starting++;
      try {
        await mkdir(this.directory, { recursive: true, mode: 0o711 });
        const directory = join(this.directory, randomBytes(6).toString('hex'));
        const shim = await startShim(this.binary, directory);
        this.warm.push({ shim, directory });
      } catch (error) {
        this.log.warn('could not start a spare shim', { error: errorMessage(error) });
        return;
      } finally {
        this.starting--;
      }
    }
    if (this.closed) await this.drain();
  }
}

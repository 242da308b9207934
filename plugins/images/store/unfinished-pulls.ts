import { readFile } from 'node:fs/promises';
import { KeyedLock, writeFileAtomically } from '@gantry/sdk';
import type { LayerStore } from './layer-store';

interface PullRecord {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** From the base upwards. */
  readonly chainIds: readonly string[];
}

interface Pull extends PullRecord {
  /** ChainIDs this holds, once each. */
  readonly held: Set<string>;
  users: number;
}

/** A pull under way. */
export interface PullClaim {
  /** Keeps a layer that was just made, until the pull ends well or is given up. */
  hold(chainId: string): void;
  /** The pull is over. What it had finished goes to the image, or waits for the next attempt. */
  end(outcome: 'finished' | 'failed'): Promise<void>;
}

const keepMs = 24 * 3600 * 1000;

/**
 * Layers of pulls that did not end: they belong to no image yet, and stay for a day so that the next attempt, also of
 * the next daemon, need not fetch and unpack them again.
 */
export class UnfinishedPulls {
  private readonly pulls = new Map<string, Pull>();
  private readonly lock = new KeyedLock();

  private constructor(
    private readonly path: string,
    private readonly layers: LayerStore,
  ) {}

  /** Takes the holds of earlier pulls again; call it before unheld layers are collected. */
  static async open(path: string, layers: LayerStore): Promise<UnfinishedPulls> {
    const self = new UnfinishedPulls(path, layers);
    for (const [digest, { at, chainIds }] of Object.entries(await read(path))) {
      const pull: Pull = { at, chainIds, held: new Set(), users: 0 };
      if (Date.now() - at > keepMs) continue;
      for (const chainId of chainIds) if (layers.get(chainId) !== undefined) self.hold(pull, chainId);
      if (pull.held.size > 0) self.pulls.set(digest, pull);
    }
    return self;
  }

  /**
   * @param digest of the manifest
   * @param chainIds of all its layers, from the base upwards
   */
  async begin(digest: string, chainIds: readonly string[]): Promise<PullClaim> {
    await this.giveUp((pull) => Date.now() - pull.at > keepMs);
    const known = this.pulls.get(digest);
    const pull: Pull = { at: Date.now(), chainIds, held: known?.held ?? new Set(), users: (known?.users ?? 0) + 1 };
    this.pulls.set(digest, pull);
    // The layers follow: with them on disk, this is too, whatever becomes of this process.
    await this.write();
    let ended = false;
    return {
      hold: (chainId) => this.hold(pull, chainId),
      end: async (outcome) => {
        if (ended) return;
        ended = true;
        const current = this.pulls.get(digest);
        if (current !== undefined) current.users--;
        if (outcome === 'finished') await this.giveUp((other) => other.held === pull.held && other.users === 0);
      },
    };
  }

  /** Removes layers of pulls nobody goes on with. @returns chainIDs of the layers this removed */
  prune(): Promise<string[]> {
    return this.giveUp(() => true);
  }

  private async giveUp(isWanted: (pull: Pull) => boolean): Promise<string[]> {
    const chosen = [...this.pulls].filter(([, pull]) => pull.users === 0 && isWanted(pull));
    if (chosen.length === 0) return [];
    for (const [digest] of chosen) this.pulls.delete(digest);
    await this.write();
    const removed: string[] = [];
    // From the top, or a parent could go first.
    for (const [, { chainIds, held }] of chosen)
      for (const chainId of [...chainIds].reverse())
        if (held.delete(chainId)) removed.push(...(await this.layers.release(chainId)));
    return removed;
  }

  private hold(pull: Pull, chainId: string): void {
    if (pull.held.has(chainId)) return;
    this.layers.hold(chainId);
    pull.held.add(chainId);
  }

  private write(): Promise<void> {
    return this.lock.run('file', async () => {
      const records = [...this.pulls].map(([digest, { at, chainIds }]) => [digest, { at, chainIds }] as const);
      await writeFileAtomically(this.path, JSON.stringify(Object.fromEntries(records)), { durable: false });
    });
  }
}

async function read(path: string): Promise<Readonly<Record<string, PullRecord>>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, PullRecord>;
  } catch {
    // Absent or damaged: nothing is lost but time.
    return {};
  }
}

import { readFile } from 'node:fs/promises';
import { writeFileAtomically } from '@gantry/sdk';

/** A compressed form of a layer that a repository was seen to hold. */
export interface LayerFact {
  /** Of the compressed blob. */
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
  /** Canonical repository name: `docker.io/library/busybox`. */
  readonly repository: string;
}

const factsPerLayer = 20;

/** What is known of layers elsewhere, by diffID, so that pushes need not send what is there. Only a memory aid. */
export class DistributionFacts {
  private constructor(
    private readonly path: string,
    private readonly facts: Map<string, LayerFact[]>,
  ) {}

  static async open(path: string): Promise<DistributionFacts> {
    try {
      const content = JSON.parse(await readFile(path, 'utf8')) as Record<string, LayerFact[]>;
      return new DistributionFacts(path, new Map(Object.entries(content)));
    } catch {
      // Absent or damaged: nothing is lost but a few round trips.
      return new DistributionFacts(path, new Map());
    }
  }

  /** Newest first. */
  of(diffId: string): readonly LayerFact[] {
    return this.facts.get(diffId) ?? [];
  }

  /** @param keep tells which layers still exist; facts about others are dropped */
  async add(found: ReadonlyMap<string, LayerFact>, keep: (diffId: string) => boolean): Promise<void> {
    for (const [diffId, fact] of found) {
      const others = this.of(diffId).filter(
        (other) => other.digest !== fact.digest || other.repository !== fact.repository,
      );
      this.facts.set(diffId, [fact, ...others].slice(0, factsPerLayer));
    }
    for (const diffId of this.facts.keys()) if (!keep(diffId)) this.facts.delete(diffId);
    await writeFileAtomically(this.path, JSON.stringify(Object.fromEntries(this.facts)), { durable: false });
  }
}

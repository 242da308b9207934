import { readFile } from 'node:fs/promises';
import { invalidParameter, KeyedLock, writeFileAtomically } from '@gantry/sdk';
import {
  canonicalName,
  canonicalString,
  familiarName,
  familiarString,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../reference/reference';

/** Which image each tag and digest reference names. One file, replaced as a whole. */
export class ReferenceStore {
  private readonly lock = new KeyedLock();
  /** Removals under way, and whether one has forgotten a name that the file still has. */
  private removals = 0;
  private isBehind = false;

  private constructor(
    private readonly path: string,
    /** Canonical reference → image id. */
    private readonly ids: Map<string, string>,
  ) {}

  static async open(path: string): Promise<ReferenceStore> {
    let ids = new Map<string, string>();
    try {
      ids = new Map(Object.entries(JSON.parse(await readFile(path, 'utf8')) as Record<string, string>));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return new ReferenceStore(path, ids);
  }

  /** @param reference with tag or digest; with both, the digest decides */
  get(reference: Reference): string | undefined {
    const wanted = withDefaultTag(reference);
    return this.ids.get(canonicalString(wanted.digest === undefined ? wanted : { ...wanted, tag: undefined }));
  }

  /** Tag and digest references of an image, sorted. */
  of(imageId: string): Reference[] {
    const found: Reference[] = [];
    for (const [text, id] of this.ids) if (id === imageId) found.push(parseReference(text));
    return found.sort((a, b) => (canonicalString(a) < canonicalString(b) ? -1 : 1));
  }

  tagsOf(imageId: string): string[] {
    return this.of(imageId)
      .filter((reference) => reference.digest === undefined)
      .map(familiarString);
  }

  digestsOf(imageId: string): string[] {
    return this.of(imageId)
      .filter((reference) => reference.digest !== undefined)
      .map(familiarString);
  }

  /** References with this repository name. */
  inRepository(reference: Reference): Reference[] {
    const name = canonicalName(reference);
    return [...this.ids.keys()].map(parseReference).filter((candidate) => canonicalName(candidate) === name);
  }

  /** Durable before it returns. @returns the image the reference named before */
  async set(reference: Reference, imageId: string): Promise<string | undefined> {
    const wanted = withDefaultTag(reference);
    const key = canonicalString(wanted.digest === undefined ? wanted : { ...wanted, tag: undefined });
    if (familiarName(wanted) === 'sha256')
      throw invalidParameter('refusing to create an ambiguous tag using digest algorithm as name');
    return this.lock.run('file', async () => {
      const before = this.ids.get(key);
      if (before === imageId) return before;
      this.ids.set(key, imageId);
      try {
        await this.write();
      } catch (error) {
        if (before === undefined) this.ids.delete(key);
        else this.ids.set(key, before);
        throw error;
      }
      return before;
    });
  }

  /** @returns whether it existed */
  async delete(reference: Reference): Promise<boolean> {
    const wanted = withDefaultTag(reference);
    const key = canonicalString(wanted.digest === undefined ? wanted : { ...wanted, tag: undefined });
    return this.lock.run('file', async () => {
      if (!this.ids.delete(key)) return false;
      if (this.removals > 0) this.isBehind = true;
      else await this.write();
      return true;
    });
  }

  /**
   * Names deleted meanwhile stay on disk until the end: whoever removes an image with its names removes the image
   * before them, and a crash in between leaves names of nothing, which the next start forgets. The other way round it
   * would leave an image without a name.
   */
  async whileRemoving<T>(work: () => Promise<T>): Promise<T> {
    this.removals++;
    try {
      return await work();
    } finally {
      this.removals--;
      await this.lock.run('file', async () => {
        if (this.isBehind) await this.write();
      });
    }
  }

  /** Forgets references to images that are not there. */
  async prune(exists: (imageId: string) => boolean): Promise<void> {
    await this.lock.run('file', async () => {
      let changed = false;
      for (const [key, id] of this.ids) if (!exists(id)) changed = this.ids.delete(key);
      if (changed) await this.write();
    });
  }

  private write(): Promise<void> {
    this.isBehind = false;
    const sorted = [...this.ids].sort(([a], [b]) => (a < b ? -1 : 1));
    return writeFileAtomically(this.path, JSON.stringify(Object.fromEntries(sorted), undefined, 1));
  }
}

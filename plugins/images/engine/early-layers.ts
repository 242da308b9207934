import { setMaxListeners } from 'node:events';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerEntry } from '../archive/index-archive';
import type { EarlyLayer } from '../store/layer-source';
import type { FileRange } from '../unpack/decompress';
import type { UnpackResult } from '../unpack/unpack-layer';
import type { Stores } from './stores';

interface Early {
  readonly folder: string;
  /** Undefined when it failed: the ordinary way says why, if the layer is wanted at all. */
  readonly work: Promise<UnpackResult | undefined>;
  onProgress: (tarBytes: number) => void;
}

/**
 * Unpacks what looks like a layer while the rest of its archive still comes: which layers belong to which image stands
 * at an archive's end. What turns out to be none of an image's layers goes away with `close`.
 */
export class EarlyLayers {
  private readonly begun = new Map<number, Early>();
  private readonly stopped = new AbortController();
  private readonly signal: AbortSignal;
  private readonly known: ReadonlySet<string>;

  /** @param path of the archive */
  constructor(
    private readonly path: string,
    private readonly stores: Stores,
    signal: AbortSignal,
  ) {
    this.signal = AbortSignal.any([signal, this.stopped.signal]);
    // Every layer listens, which is no leak.
    setMaxListeners(0, this.signal);
    this.known = new Set(stores.layers.list().map(({ diffId }) => diffId));
  }

  begin({ name, offset, size }: LayerEntry): void {
    // Most archives name a layer by its digest.
    const digest = /[0-9a-f]{64}/.exec(name)?.[0];
    if (digest !== undefined && this.known.has(`sha256:${digest}`)) return;
    const folder = this.stores.scratch.path('layer');
    const unpacking = this.unpack({ path: this.path, offset, length: size }, folder, (bytes) =>
      early.onProgress(bytes),
    );
    const early: Early = { folder, work: unpacking.catch(() => undefined), onProgress() {} };
    this.begun.set(offset, early);
  }

  /** The layer at a place of the archive, for one taker; undefined when it has to be unpacked in the ordinary way. */
  async take(range: FileRange, onProgress: (tarBytes: number) => void): Promise<EarlyLayer | undefined> {
    const early = this.begun.get(range.offset);
    if (early === undefined) return undefined;
    this.begun.delete(range.offset);
    early.onProgress = onProgress;
    const result = await early.work;
    const release = () => rm(early.folder, { recursive: true, force: true });
    if (result === undefined) {
      await release();
      return undefined;
    }
    onProgress(result.tarSizeBytes);
    return { ...result, ...placesIn(early.folder), release };
  }

  /** Ends and removes what nobody took. */
  async close(): Promise<void> {
    this.stopped.abort();
    const left = [...this.begun.values()];
    this.begun.clear();
    await Promise.all(left.map(({ work }) => work));
    await Promise.all(left.map(({ folder }) => rm(folder, { recursive: true, force: true })));
  }

  private async unpack(
    source: FileRange,
    folder: string,
    onProgress: (tarBytes: number) => void,
  ): Promise<UnpackResult> {
    const places = placesIn(folder);
    await mkdir(places.directory, { recursive: true });
    await chmod(places.directory, 0o755);
    return this.stores.workers.unpack({ source, ...places }, this.signal, onProgress);
  }
}

const placesIn = (folder: string) => ({ directory: join(folder, 'diff'), recipePath: join(folder, 'recipe.gz') });

import { setMaxListeners } from 'node:events';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorKind, invalidParameter, type Logger, notFound, type Snapshotter, writeFileAtomically } from '@gantry/sdk';
import { readLayerArchive } from '../archive/layer-archive';
import { CoalescedSync } from '../snapshots/coalesced-sync';
import { inheritDirectories } from '../snapshots/inherit-directories';
import type { LayerWorkers } from '../unpack/layer-workers';
import type { UnpackResult } from '../unpack/unpack-layer';
import type { LayerSource, PackedLayer, UnpackedLayer } from './layer-source';
import { currentBoot, UnsyncedLayers } from './unsynced-layers';

export interface LayerRecord {
  readonly chainId: string;
  readonly parent: string | undefined;
  readonly diffId: string;
  /** Bytes of the regular files in this layer alone, and of the targets of symbolic links. */
  readonly sizeBytes: number;
  /** Bytes of the uncompressed archive. */
  readonly tarSizeBytes: number;
  /** The start of the machine that made it, until it is on the disk. After another one it must be looked at. */
  readonly unsyncedSince?: string;
}

type LayerSizes = Pick<LayerRecord, 'sizeBytes' | 'tarSizeBytes'>;

/**
 * Unpacked layers, shared by images and containers. Each keeps a record and the recipe of its archive beside the
 * snapshotter's files. Holders are counted in memory: a layer without one is removed, and then its parent if that
 * has no other.
 */
export class LayerStore {
  private readonly records = new Map<string, LayerRecord>();
  private readonly holders = new Map<string, number>();
  private readonly underway = new Map<string, Promise<void>>();
  private readonly unsynced: UnsyncedLayers;
  private sequence = 0;

  private constructor(
    private readonly folder: string,
    private readonly snapshotter: Snapshotter,
    private readonly workers: LayerWorkers,
    private readonly boot: string,
    private readonly log: Logger,
  ) {
    const own = new CoalescedSync(folder);
    const sync = async () => {
      await snapshotter.sync?.();
      // The snapshotter's folder may be on another file system; where it is not, nothing is left to write.
      await own.sync();
    };
    this.unsynced = new UnsyncedLayers(sync, (chainIds) => this.markSynced(chainIds), log);
  }

  /** Reads the records; forgets layers of which only a half is there. Call `collect` once all holders have come. */
  static async open(folder: string, snapshotter: Snapshotter, workers: LayerWorkers, log: Logger): Promise<LayerStore> {
    const self = new LayerStore(folder, snapshotter, workers, await currentBoot(), log);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rm(self.staging, { recursive: true, force: true });
    await mkdir(self.staging, { mode: 0o700 });
    await self.load();
    return self;
  }

  /** Resolves when the layers that are there are on the disk. */
  flush(): Promise<void> {
    return this.unsynced.flush();
  }

  close(): void {
    this.unsynced.close();
  }

  get(chainId: string): LayerRecord | undefined {
    return this.records.get(chainId);
  }

  list(): readonly LayerRecord[] {
    return [...this.records.values()];
  }

  recipePath(chainId: string): string {
    return join(this.folder, hex(chainId), 'recipe.gz');
  }

  diffPath(chainId: string): Promise<string> {
    return this.snapshotter.layerDiffPath(chainId);
  }

  /** @throws not-found */
  hold(chainId: string): void {
    if (!this.records.has(chainId)) throw notFound(`layer ${chainId} does not exist`);
    this.holders.set(chainId, (this.holders.get(chainId) ?? 0) + 1);
  }

  /** Gives up one hold. @returns chainIDs of the layers this removed, topmost first */
  async release(chainId: string): Promise<string[]> {
    const removed: string[] = [];
    for (let at: string | undefined = chainId; at !== undefined; ) {
      const left: number = (this.holders.get(at) ?? 1) - 1;
      if (left > 0) {
        this.holders.set(at, left);
        break;
      }
      const record = this.records.get(at);
      if (record === undefined) break;
      this.holders.delete(at);
      this.records.delete(at);
      removed.push(at);
      const erasing = this.erase(at);
      const chain = at;
      // A new layer of that name waits until the old one is out of the way.
      this.underway.set(chain, erasing);
      try {
        await erasing;
      } finally {
        this.underway.delete(chain);
      }
      at = record.parent;
    }
    return removed;
  }

  /** Removes layers nobody holds. Called once, when images and containers have taken their holds. */
  async collect(): Promise<void> {
    for (const { chainId } of this.list()) {
      if (!this.records.has(chainId) || (this.holders.get(chainId) ?? 0) > 0) continue;
      this.log.info('removing a layer that belongs to no image', { chainId });
      this.holders.set(chainId, 1);
      await this.release(chainId);
    }
  }

  /**
   * Makes a stack of layers exist; those missing are fetched and unpacked side by side.
   *
   * @param sources from the base upwards
   * @returns chainID of the top, held once for the caller; undefined for an empty stack
   * @throws whatever a source or its unpacking throws; then nothing new stays
   */
  async ensure(sources: readonly LayerSource[], signal: AbortSignal): Promise<string | undefined> {
    const failed = new AbortController();
    const both = AbortSignal.any([signal, failed.signal]);
    // Every layer listens, which is no leak.
    setMaxListeners(0, both, failed.signal);
    const ready: Promise<void>[] = [];
    const held: string[] = [];
    for (const [index, source] of sources.entries()) {
      const parentReady = ready[index - 1] ?? Promise.resolve();
      const work = this.ensureOne(source, parentReady, both).then(() => {
        held.push(source.chainId);
      });
      work.catch((error) => failed.abort(error));
      ready.push(work);
    }
    const results = await Promise.allSettled(ready);
    const top = sources.at(-1)?.chainId;
    const failure = firstCause(results, failed.signal);
    // Children hold their parents, so only the top is needed. From the top, or a parent could go first.
    for (const chainId of held.sort((a, b) => position(sources, b) - position(sources, a)))
      if (failure !== undefined || chainId !== top) await this.release(chainId);
    if (failure !== undefined) throw failure.cause;
    return top;
  }

  private async ensureOne(source: LayerSource, parentReady: Promise<void>, signal: AbortSignal): Promise<void> {
    for (let waited = false; ; waited = true) {
      signal.throwIfAborted();
      if (this.records.has(source.chainId)) {
        this.hold(source.chainId);
        if (waited) source.onReady?.();
        return;
      }
      const other = this.underway.get(source.chainId);
      if (other === undefined) break;
      // Whoever else makes it may fail or be cancelled; then it is our turn.
      await Promise.race([other.catch(() => {}), aborted(signal)]);
    }
    const work = this.make(source, parentReady, signal);
    this.underway.set(source.chainId, work);
    try {
      await work;
    } finally {
      this.underway.delete(source.chainId);
    }
    this.hold(source.chainId);
    source.onReady?.();
  }

  private async make(source: LayerSource, parentReady: Promise<void>, signal: AbortSignal): Promise<void> {
    // A parent's failure is reported by the parent.
    parentReady.catch(() => {});
    const { chainId, diffId, parent } = source;
    const staged = join(this.staging, String(this.sequence++));
    try {
      await mkdir(staged);
      const { sizeBytes, tarSizeBytes } =
        source.unpacked === undefined
          ? await this.unpack(source, staged, parentReady, signal)
          : await this.adopt(source, staged);
      const record: LayerRecord = { chainId, parent, diffId, sizeBytes, tarSizeBytes };
      await writeFile(join(staged, 'record.json'), JSON.stringify({ ...record, unsyncedSince: this.boot }));
      signal.throwIfAborted();
      await this.snapshotter.commitLayer(chainId, sizeBytes);
      await rename(staged, join(this.folder, hex(chainId)));
      this.records.set(chainId, record);
      if (parent !== undefined) this.hold(parent);
      this.unsynced.add(chainId);
      // Not earlier: a crash before this must find the archive again.
      await source.done?.('settled');
    } catch (error) {
      await this.snapshotter.abortLayer(chainId);
      await rm(staged, { recursive: true, force: true });
      await source.done?.(errorKind(error) === 'invalid-parameter' ? 'settled' : 'failed');
      throw error;
    }
  }

  private async unpack(
    source: PackedLayer,
    staged: string,
    parentReady: Promise<void>,
    signal: AbortSignal,
  ): Promise<UnpackResult> {
    const { chainId, diffId, parent } = source;
    const early = await source.early?.();
    try {
      const range = early === undefined ? await source.open(signal) : undefined;
      const { path: directory } = await this.snapshotter.prepareLayer(chainId, parent);
      const to = { directory, recipePath: join(staged, 'recipe.gz') };
      const onProgress = source.onProgress ?? (() => {});
      const result = early ?? (await this.workers.unpack({ source: range!, ...to }, signal, onProgress));
      if (result.diffId !== diffId)
        throw invalidParameter(`layer content is ${result.diffId}, the image config says ${diffId}`);
      if (early !== undefined) await moveLayer(early, to);
      await source.onRead?.();
      await parentReady;
      await inheritDirectories(directory, result.impliedDirectories, await this.diffPathsFrom(parent));
      return result;
    } finally {
      await early?.release();
    }
  }

  private async adopt({ chainId, parent, unpacked }: UnpackedLayer, staged: string): Promise<LayerSizes> {
    const { path } = await this.snapshotter.prepareLayer(chainId, parent);
    await moveLayer(unpacked, { directory: path, recipePath: join(staged, 'recipe.gz') });
    return unpacked;
  }

  /** Diff directories of a layer and all below it, uppermost first. */
  private async diffPathsFrom(chainId: string | undefined): Promise<string[]> {
    const paths: string[] = [];
    for (let at = chainId; at !== undefined; at = this.records.get(at)?.parent) paths.push(await this.diffPath(at));
    return paths;
  }

  private async erase(chainId: string): Promise<void> {
    this.unsynced.forget(chainId);
    // The record goes first: a snapshot without one is collected at the next start.
    await rm(join(this.folder, hex(chainId)), { recursive: true, force: true });
    await this.snapshotter.removeLayer(chainId);
  }

  private async load(): Promise<void> {
    const names = (await readdir(this.folder)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const read = await Promise.all(names.map((name) => this.readRecord(name)));
    for (const record of read) if (record !== undefined) this.records.set(record.chainId, record);
    for (const record of this.list()) if (!(await this.isWhole(record))) this.records.delete(record.chainId);
    for (const record of this.list()) if (record.unsyncedSince !== undefined) await this.lookAgain(record);
    // What stands on a layer that was damaged goes with it.
    for (const record of this.list()) if (!(await this.isWhole(record))) this.records.delete(record.chainId);
    for (const name of names) {
      if (!this.records.has(`sha256:${name}`)) await rm(join(this.folder, name), { recursive: true, force: true });
    }
    for (const chainId of await this.snapshotter.listLayers())
      if (!this.records.has(chainId)) await this.snapshotter.removeLayer(chainId);
    for (const { parent } of this.records.values()) if (parent !== undefined) this.hold(parent);
  }

  private async isWhole(record: LayerRecord): Promise<boolean> {
    for (let at = this.records.get(record.chainId); at !== undefined; ) {
      if (!(await this.snapshotter.hasLayer(at.chainId))) return false;
      if (at.parent === undefined) return true;
      at = this.records.get(at.parent);
    }
    return false;
  }

  /** A layer of which only this start of the machine, or an earlier one, knows that it was written. */
  private async lookAgain({ unsyncedSince, ...record }: LayerRecord): Promise<void> {
    const { chainId } = record;
    this.records.set(chainId, record);
    if (unsyncedSince !== this.boot) {
      this.log.info('checking a layer that was new when the machine went down', { chainId });
      try {
        for await (const _ of readLayerArchive(record, this));
      } catch (error) {
        this.log.error('dropping a layer that did not reach the disk', { chainId, error: String(error) });
        this.records.delete(chainId);
        return;
      }
    }
    this.unsynced.add(chainId);
  }

  private async markSynced(chainIds: readonly string[]): Promise<void> {
    for (const chainId of chainIds) {
      const record = this.records.get(chainId);
      if (record === undefined) continue;
      const path = join(this.folder, hex(chainId), 'record.json');
      // Not durably: whoever finds the old one looks at the layer once more.
      await writeFileAtomically(path, JSON.stringify(record), { durable: false }).catch(
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
          // Removed meanwhile.
        },
      );
    }
  }

  private async readRecord(name: string): Promise<LayerRecord | undefined> {
    try {
      return JSON.parse(await readFile(join(this.folder, name, 'record.json'), 'utf8')) as LayerRecord;
    } catch (error) {
      this.log.warn('dropping a layer without a readable record', { layer: name, error: String(error) });
      return undefined;
    }
  }

  private get staging(): string {
    return join(this.folder, 'staging');
  }
}

interface LayerPlaces {
  readonly directory: string;
  readonly recipePath: string;
}

/** @param to.directory empty */
async function moveLayer(from: LayerPlaces, to: LayerPlaces): Promise<void> {
  await rename(from.recipePath, to.recipePath);
  await rename(from.directory, to.directory);
}

const hex = (digest: string) => digest.slice(digest.indexOf(':') + 1);

const position = (sources: readonly LayerSource[], chainId: string) =>
  sources.findIndex((source) => source.chainId === chainId);

/** What failed by itself, rather than because something else had failed before. */
function firstCause(
  results: readonly PromiseSettledResult<void>[],
  failed: AbortSignal,
): { cause: unknown } | undefined {
  if (results.every((result) => result.status === 'fulfilled')) return undefined;
  return { cause: failed.reason };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

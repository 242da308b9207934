import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  conflict,
  type LayerChange,
  type LayerDifference,
  type Logger,
  type Snapshotter,
  type StorageOptions,
  syncDirectory,
  type WritableOptions,
} from '@gantry/sdk';
import { CoalescedSync } from '../snapshots/coalesced-sync';
import { ensureInitLayer } from '../snapshots/init-layer';
import { LayerDirectories } from '../snapshots/layer-directories';
import { SnapshotLayout } from '../snapshots/layout';
import { SnapshotRecords, type Writable } from '../snapshots/snapshot-records';
import { type LimitWords, WritableLimit } from '../snapshots/writable-limit';
import { LayerWorkers } from '../unpack/layer-workers';
import type { Comparison } from './compare-trees';

const untilDone = new AbortController().signal;

const noQuota = 'Filesystem does not support, or has not enabled quotas';
const limitWords: LimitWords = {
  daemonOption: 'size',
  unknownDaemonOption: (name) => `unknown option ${name} for vfs`,
  daemonUnsupported: noQuota,
  unknownOption: (name) => `Storage opt ${name} not supported`,
  unsupported: noQuota,
};

/**
 * Layers as plain directories; a writable layer is a copy of all it stands on. Nothing is mounted, so it works where
 * overlayfs does not; a container takes the time and the room of its whole image, unless the file system shares blocks.
 */
export class VfsSnapshotter implements Snapshotter {
  private readonly layout: SnapshotLayout;
  private readonly layers: LayerDirectories;
  private readonly flush: CoalescedSync;
  // Its own: a container must not wait for layers that are being unpacked.
  private readonly workers = new LayerWorkers();
  private readonly underway = new Set<string>();
  private sequence = 0;

  private constructor(
    private readonly records: SnapshotRecords,
    private readonly limit: WritableLimit,
  ) {
    this.layout = records.layout;
    this.flush = new CoalescedSync(this.layout.root);
    this.layers = new LayerDirectories(records, this.flush);
  }

  /** @param root the driver's folder; made when it does not exist */
  static async open(root: string, log: Logger, options: readonly string[]): Promise<VfsSnapshotter> {
    const layout = new SnapshotLayout(root);
    const records = await SnapshotRecords.open(layout, log);
    const self = new VfsSnapshotter(records, WritableLimit.open(root, options, limitWords));
    await ensureInitLayer(layout);
    return self;
  }

  async close(): Promise<void> {
    await this.workers.close();
    await this.records.trash.emptied();
  }

  prepareLayer(chainId: string, parentChainId: string | undefined): Promise<{ path: string }> {
    return this.layers.prepare(chainId, parentChainId);
  }

  commitLayer(chainId: string, sizeBytes: number): Promise<void> {
    return this.layers.commit(chainId, sizeBytes);
  }

  sync(): Promise<void> {
    return this.layers.sync();
  }

  abortLayer(chainId: string): Promise<void> {
    return this.layers.abort(chainId);
  }

  async hasLayer(chainId: string): Promise<boolean> {
    return this.records.layers.has(chainId);
  }

  async listLayers(): Promise<readonly string[]> {
    return [...this.records.layers.keys()];
  }

  async removeLayer(chainId: string): Promise<void> {
    await this.layers.remove(chainId);
  }

  async layerDiffPath(chainId: string): Promise<string> {
    return this.layers.diffPath(chainId);
  }

  checkStorageOptions(options: StorageOptions): void {
    this.limit.check(options);
  }

  async createWritable(id: string, parentChainId: string | undefined, options: WritableOptions = {}): Promise<void> {
    const { layout, records } = this;
    records.assertNewWritable(id, parentChainId);
    this.checkStorageOptions(options.storageOptions ?? {});
    if (this.underway.has(id)) throw conflict(`root file system of ${id} is being made already`);
    this.underway.add(id);
    const staged = this.stagedPath(id);
    try {
      await mkdir(staged, { mode: 0o710 });
      this.limit.apply(staged, options.storageOptions);
      const stack = this.layers.stack(parentChainId, !options.bare);
      await this.workers.copyTree({ stack, target: join(staged, 'tree') }, untilDone);
      const record: Writable = { parent: parentChainId, ...(options.bare ? { bare: true } : {}) };
      await writeFile(join(staged, 'writable.json'), JSON.stringify(record), { mode: 0o600 });
      await this.flush.sync();
      await rename(staged, layout.directory(id));
      await syncDirectory(layout.root);
      records.writables.set(id, record);
    } catch (error) {
      await records.trash.discard(staged);
      throw error;
    } finally {
      this.underway.delete(id);
    }
  }

  hasWritable(id: string): boolean {
    return this.records.writables.has(id);
  }

  parentOf(id: string): string | undefined {
    return this.records.writable(id).parent;
  }

  async listWritable(): Promise<readonly string[]> {
    return [...this.records.writables.keys()];
  }

  async mount(id: string): Promise<string> {
    this.records.writable(id);
    return this.tree(id);
  }

  async unmount(): Promise<void> {}

  async removeWritable(id: string): Promise<void> {
    if (!this.records.writables.delete(id)) return;
    await this.records.trash.discard(this.layout.directory(id));
  }

  async usageBytes(id: string): Promise<number> {
    return (await this.compare(id)).bytes;
  }

  async changes(id: string): Promise<readonly LayerChange[]> {
    return (await this.compare(id)).changes;
  }

  async difference(id: string, _options: { consume: boolean }, signal: AbortSignal): Promise<LayerDifference> {
    const path = this.stagedPath(id);
    const release = () => this.records.trash.discard(path);
    try {
      await this.compare(id, { difference: path, signal });
    } catch (error) {
      await release();
      throw error;
    }
    return { path, release };
  }

  /** As dockerd's vfs, which tells nothing. @throws not-found */
  describe(id: string): null {
    if (!this.records.layers.has(id)) this.records.writable(id);
    return null;
  }

  async status(): Promise<readonly []> {
    return [];
  }

  private compare(
    id: string,
    { difference, signal = untilDone }: { difference?: string; signal?: AbortSignal } = {},
  ): Promise<Comparison> {
    const { parent, bare = false } = this.records.writable(id);
    const stack = this.layers.stack(parent, !bare);
    return this.workers.compareTrees({ tree: this.tree(id), stack, difference }, signal);
  }

  private tree(id: string): string {
    return join(this.layout.directory(id), 'tree');
  }

  private stagedPath(id: string): string {
    return join(this.layout.staging, `${id}-${this.sequence++}`);
  }
}

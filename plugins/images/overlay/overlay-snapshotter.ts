import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerChange, LayerDifference, Logger, Snapshotter, StorageOptions, WritableOptions } from '@gantry/sdk';
import { unmountAside } from '@gantry/sdk/linux/mount';
import { backingFileSystem } from '../snapshots/backing-file-system';
import { CoalescedSync } from '../snapshots/coalesced-sync';
import { directorySizeBytes } from '../snapshots/directory-size';
import { ensureInitLayer } from '../snapshots/init-layer';
import { LayerDirectories } from '../snapshots/layer-directories';
import { hexOf, SnapshotLayout } from '../snapshots/layout';
import { mountPointsBelow } from '../snapshots/mount-table';
import { SnapshotRecords, type Writable } from '../snapshots/snapshot-records';
import { type LimitWords, WritableLimit } from '../snapshots/writable-limit';
import { overlayChanges } from './changes';
import { mountOverlay } from './mount-overlay';

const initLink = 'init';

const limitWords: LimitWords = {
  daemonOption: 'overlay2.size',
  unknownDaemonOption: (name) => `overlay2: unknown option ${name.toLowerCase()}`,
  daemonUnsupported:
    'Storage option overlay2.size not supported. Filesystem does not support Project Quota: mount the file system of the data root, xfs or ext4, with the option prjquota',
  unknownOption: (name) => `Unknown option ${name.toLowerCase()}`,
  unsupported: "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
};

/**
 * Layers as plain directories stacked by overlayfs. A writable layer is a directory named by its container with
 * `diff`, `work` and `merged`; `l/` holds short names of layers for long stacks.
 */
export class OverlaySnapshotter implements Snapshotter {
  private readonly layout: SnapshotLayout;
  private readonly layers: LayerDirectories;
  private readonly mounted = new Set<string>();
  private readonly links: string;

  private constructor(
    private readonly records: SnapshotRecords,
    private readonly limit: WritableLimit,
  ) {
    this.layout = records.layout;
    this.layers = new LayerDirectories(records, new CoalescedSync(this.layout.root));
    this.links = join(this.layout.root, 'l');
  }

  /** @param root the driver's folder; made when it does not exist */
  static async open(root: string, log: Logger, options: readonly string[]): Promise<OverlaySnapshotter> {
    const layout = new SnapshotLayout(root);
    const records = await SnapshotRecords.open(layout, log);
    const self = new OverlaySnapshotter(records, WritableLimit.open(root, options, limitWords));
    await mkdir(self.links, { recursive: true, mode: 0o700 });
    await ensureInitLayer(layout);
    await self.tidyLinks();
    for (const path of await mountPointsBelow(root)) {
      const [id, last] = path.slice(root.length + 1).split('/');
      if (last === 'merged' && self.hasWritable(id!)) self.mounted.add(id!);
    }
    return self;
  }

  async close(): Promise<void> {
    await this.records.trash.emptied();
  }

  prepareLayer(chainId: string, parentChainId: string | undefined): Promise<{ path: string }> {
    return this.layers.prepare(chainId, parentChainId);
  }

  async commitLayer(chainId: string, sizeBytes: number): Promise<void> {
    await this.layers.commit(chainId, sizeBytes, { link: await this.makeLink(chainId) });
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
    const removed = await this.layers.remove(chainId);
    if (removed?.link !== undefined) await unlink(join(this.links, removed.link)).catch(ignoreAbsent);
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
    let record: Writable = { parent: parentChainId, ...(options.bare ? { bare: true } : {}) };
    records.writables.set(id, record);
    try {
      await mkdir(layout.directory(id), { mode: 0o710 });
      if (this.limit.apply(layout.directory(id), options.storageOptions)) record = { ...record, limited: true };
      records.writables.set(id, record);
      await Promise.all([
        mkdir(layout.diff(id)).then(() => chmod(layout.diff(id), 0o755)),
        mkdir(this.work(id), { mode: 0o700 }),
        mkdir(this.merged(id), { mode: 0o700 }),
      ]);
      // The record comes last: with it on disk (and so, by the journal's order, what was made before) it exists.
      const file = await open(layout.writableRecord(id), 'wx', 0o600);
      try {
        await file.writeFile(JSON.stringify(record));
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      records.writables.delete(id);
      await records.trash.discard(layout.directory(id));
      throw error;
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
    const target = this.merged(id);
    const { parent, bare = false } = this.records.writable(id);
    if (this.mounted.has(id)) return target;
    const lower = this.layers.stack(parent, !bare);
    // Nothing below: overlayfs wants at least one lower directory, and none is needed.
    if (lower.length === 0) return this.layout.diff(id);
    const links = this.records.chain(parent).map((layer) => layer.link!);
    mountOverlay({
      lower,
      linkFolder: this.links,
      links: bare ? links : [...links, initLink],
      upper: this.layout.diff(id),
      work: this.work(id),
      target,
    });
    this.mounted.add(id);
    return target;
  }

  async unmount(id: string): Promise<void> {
    if (!this.mounted.delete(id)) return;
    await unmountAside(this.merged(id), { detach: true });
  }

  async removeWritable(id: string): Promise<void> {
    await this.unmount(id);
    if (!this.records.writables.delete(id)) return;
    await this.records.trash.discard(this.layout.directory(id));
  }

  async usageBytes(id: string): Promise<number> {
    this.records.writable(id);
    return directorySizeBytes(this.layout.diff(id));
  }

  async changes(id: string): Promise<readonly LayerChange[]> {
    const { parent, bare = false } = this.records.writable(id);
    return overlayChanges(this.layout.diff(id), this.layers.stack(parent, !bare));
  }

  async difference(id: string, { consume }: { consume: boolean }): Promise<LayerDifference> {
    const { limited = false } = this.records.writable(id);
    if (consume) await this.unmount(id);
    // What is moved elsewhere would go on counting for the project of a container that is gone.
    return { path: this.layout.diff(id), ...(limited ? { mustStay: true } : {}), release: async () => {} };
  }

  /** As inspect shows it: `LowerDir`, `MergedDir`, `UpperDir`, `WorkDir`. */
  describe(id: string): Readonly<Record<string, string>> {
    const layer = this.records.layers.get(id);
    const name = layer === undefined ? id : hexOf(id);
    const { parent, bare = true }: Writable = layer ?? { bare: false, ...this.records.writable(id) };
    const lower = this.layers.stack(parent, !bare);
    return {
      ...(lower.length > 0 ? { LowerDir: lower.join(':') } : {}),
      MergedDir: this.merged(name),
      UpperDir: this.layout.diff(name),
      WorkDir: this.work(name),
    };
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    return [
      ['Backing Filesystem', await backingFileSystem(this.layout.root)],
      ['Supports d_type', 'true'],
      ['Using metacopy', 'false'],
      ['Native Overlay Diff', 'true'],
      ['userxattr', 'false'],
    ];
  }

  private work(id: string): string {
    return join(this.layout.directory(id), 'work');
  }

  private merged(id: string): string {
    return join(this.layout.directory(id), 'merged');
  }

  private async makeLink(chainId: string): Promise<string> {
    for (;;) {
      const link = randomBytes(5).readUIntBE(0, 5).toString(36).toUpperCase().padStart(8, '0');
      try {
        await symlink(join('..', hexOf(chainId), 'diff'), join(this.links, link));
        return link;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  /** Removes names of layers that never came to be, and names the common lowest one. */
  private async tidyLinks(): Promise<void> {
    const used = new Set([initLink, ...[...this.records.layers.values()].map((layer) => layer.link)]);
    for (const link of await readdir(this.links)) if (!used.has(link)) await unlink(join(this.links, link));
    await symlink('../init/diff', join(this.links, initLink)).catch((error) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

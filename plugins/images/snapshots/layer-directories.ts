import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, notFound } from '@gantry/sdk';
import type { CoalescedSync } from './coalesced-sync';
import { hexOf } from './layout';
import type { Layer, SnapshotRecords } from './snapshot-records';

/** Committed layers as one directory each: staged, then renamed to the chainID, and on the disk after the next `sync`. */
export class LayerDirectories {
  private readonly prepared = new Map<string, { path: string; parent: string | undefined }>();
  private sequence = 0;

  constructor(
    private readonly records: SnapshotRecords,
    private readonly flush: CoalescedSync,
  ) {}

  async prepare(chainId: string, parentChainId: string | undefined): Promise<{ path: string }> {
    const { layers, layout } = this.records;
    if (layers.has(chainId) || this.prepared.has(chainId)) throw conflict(`layer ${chainId} exists already`);
    const staged = join(layout.staging, `${hexOf(chainId)}-${this.sequence++}`);
    this.prepared.set(chainId, { path: staged, parent: parentChainId });
    const path = join(staged, 'diff');
    await mkdir(path, { recursive: true });
    await chmod(path, 0o755);
    return { path };
  }

  async commit(chainId: string, sizeBytes: number, more: Pick<Layer, 'link'> = {}): Promise<void> {
    const { layers, layout } = this.records;
    const prepared = this.prepared.get(chainId);
    if (prepared === undefined) throw notFound(`layer ${chainId} is not prepared`);
    const layer: Layer = { chainId, parent: prepared.parent, ...more, sizeBytes };
    await writeFile(join(prepared.path, 'layer.json'), JSON.stringify(layer));
    if (prepared.parent !== undefined && !layers.has(prepared.parent))
      throw notFound(`parent layer ${prepared.parent} of ${chainId} is not committed`);
    await rename(prepared.path, layout.directory(hexOf(chainId)));
    this.prepared.delete(chainId);
    layers.set(chainId, layer);
  }

  sync(): Promise<void> {
    return this.flush.sync();
  }

  async abort(chainId: string): Promise<void> {
    const prepared = this.prepared.get(chainId);
    if (prepared === undefined) return;
    this.prepared.delete(chainId);
    await this.records.trash.discard(prepared.path);
  }

  /** @returns what it was; undefined when it was not there */
  async remove(chainId: string): Promise<Layer | undefined> {
    const { layers, layout, trash } = this.records;
    const layer = layers.get(chainId);
    if (layer === undefined) return undefined;
    layers.delete(chainId);
    await trash.discard(layout.directory(hexOf(chainId)));
    return layer;
  }

  /** @throws not-found */
  diffPath(chainId: string): string {
    this.records.layer(chainId);
    return this.records.layout.diff(hexOf(chainId));
  }

  /**
   * Diff directories of a layer and those it stands on, uppermost first.
   *
   * @param init with the mount points every container needs, lowest
   */
  stack(top: string | undefined, init: boolean): string[] {
    const { layout } = this.records;
    const paths = this.records.chain(top).map((layer) => layout.diff(hexOf(layer.chainId)));
    return init ? [...paths, layout.diff('init')] : paths;
  }
}

import { mkdir, readdir, readFile } from 'node:fs/promises';
import { conflict, type Logger, notFound } from '@gantry/sdk';
import type { SnapshotLayout } from './layout';
import { Trash } from './trash';

export interface Layer {
  readonly chainId: string;
  readonly parent: string | undefined;
  readonly sizeBytes: number;
  /** Further name of overlayfs layers, below `l/`. */
  readonly link?: string;
}

export interface Writable {
  readonly parent: string | undefined;
  /** Without the common lowest layer. */
  readonly bare?: boolean;
  /** Its directory is a project of its own, kept to a size. */
  readonly limited?: boolean;
}

/**
 * What a driver's folder holds. A directory is named by a layer's chainID or by a container and is whole when it has
 * its record; without one it is a half that a crash has left, and `open` throws it away.
 */
export class SnapshotRecords {
  readonly layers = new Map<string, Layer>();
  readonly writables = new Map<string, Writable>();
  readonly trash: Trash;

  private constructor(
    readonly layout: SnapshotLayout,
    log: Logger,
  ) {
    this.trash = new Trash(layout.trash, log);
  }

  static async open(layout: SnapshotLayout, log: Logger): Promise<SnapshotRecords> {
    const self = new SnapshotRecords(layout, log);
    await mkdir(layout.root, { recursive: true, mode: 0o710 });
    await self.trash.open();
    await self.trash.discard(layout.staging);
    await mkdir(layout.staging, { mode: 0o700 });
    const entries = await readdir(layout.root);
    await Promise.all(entries.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((id) => self.load(id)));
    return self;
  }

  /** @throws not-found */
  layer(chainId: string): Layer {
    const layer = this.layers.get(chainId);
    if (layer === undefined) throw notFound(`layer ${chainId} does not exist`);
    return layer;
  }

  /** @throws not-found */
  writable(id: string): Writable {
    const writable = this.writables.get(id);
    if (writable === undefined) throw notFound(`root file system of ${id} does not exist`);
    return writable;
  }

  /** @throws conflict  the name is taken; not-found  the parent is missing */
  assertNewWritable(id: string, parentChainId: string | undefined): void {
    if (this.writables.has(id)) throw conflict(`root file system of ${id} exists already`);
    if (parentChainId !== undefined) this.layer(parentChainId);
  }

  /** A layer and those it stands on, uppermost first. @throws not-found */
  chain(top: string | undefined): Layer[] {
    const chain: Layer[] = [];
    for (let at = top; at !== undefined; ) {
      const layer = this.layer(at);
      chain.push(layer);
      at = layer.parent;
    }
    return chain;
  }

  private async load(id: string): Promise<void> {
    const { layout } = this;
    const layer = await readRecord<Layer>(layout.layerRecord(id));
    if (layer !== undefined) {
      this.layers.set(layer.chainId, layer);
      return;
    }
    const writable = await readRecord<Writable>(layout.writableRecord(id));
    if (writable !== undefined) this.writables.set(id, writable);
    else await this.trash.discard(layout.directory(id));
  }
}

async function readRecord<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

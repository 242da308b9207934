import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, type Logger, notFound, type Snapshotter } from '@gantry/sdk';
import { unmountAside } from '@gantry/sdk/linux/mount';
import { CoalescedSync } from './coalesced-sync';
import { directorySizeBytes } from './directory-size';
import { ensureInitLayer } from './init-layer';
import { hexOf, OverlayLayout } from './layout';
import { mountOverlay } from './mount-overlay';
import { mountPointsBelow } from './mount-table';
import { Trash } from './trash';

interface Layer {
  readonly chainId: string;
  readonly parent: string | undefined;
  /** Name below `l/`. */
  readonly link: string;
  readonly sizeBytes: number;
}

interface Writable {
  readonly parent: string | undefined;
  /** Without the common lowest layer. */
  readonly bare?: boolean;
}

const initLink = 'init';

/**
 * Layers as plain directories stacked by overlayfs.
 *
 * A layer is staged, then renamed to its chainID; a writable layer is a directory named by its container with
 * `diff`, `work` and `merged`. A directory without its record is a half: `open` throws it away.
 */
export class OverlaySnapshotter implements Snapshotter {
  private readonly layout: OverlayLayout;
  private readonly trash: Trash;
  private readonly flush: CoalescedSync;
  private readonly layers = new Map<string, Layer>();
  private readonly writables = new Map<string, Writable>();
  private readonly mounted = new Set<string>();
  private readonly prepared = new Map<string, { path: string; parent: string | undefined }>();
  private sequence = 0;

  private constructor(root: string, log: Logger) {
    this.layout = new OverlayLayout(root);
    this.trash = new Trash(this.layout.trash, log);
    this.flush = new CoalescedSync(root);
  }

  /** @param root the driver's folder; made when it does not exist */
  static async open(root: string, log: Logger): Promise<OverlaySnapshotter> {
    const self = new OverlaySnapshotter(root, log);
    const { layout } = self;
    await mkdir(root, { recursive: true, mode: 0o710 });
    await mkdir(layout.links, { recursive: true, mode: 0o700 });
    await self.trash.open();
    await self.trash.discard(layout.staging);
    await mkdir(layout.staging, { mode: 0o700 });
    await self.load();
    return self;
  }

  async close(): Promise<void> {
    await this.trash.emptied();
  }

  async prepareLayer(chainId: string, parentChainId: string | undefined): Promise<{ path: string }> {
    if (this.layers.has(chainId) || this.prepared.has(chainId)) throw conflict(`layer ${chainId} exists already`);
    const staged = join(this.layout.staging, `${hexOf(chainId)}-${this.sequence++}`);
    this.prepared.set(chainId, { path: staged, parent: parentChainId });
    const path = join(staged, 'diff');
    await mkdir(path, { recursive: true });
    await chmod(path, 0o755);
    return { path };
  }

  async commitLayer(chainId: string, sizeBytes: number): Promise<void> {
    const prepared = this.prepared.get(chainId);
    if (prepared === undefined) throw notFound(`layer ${chainId} is not prepared`);
    const layer: Layer = { chainId, parent: prepared.parent, link: await this.makeLink(chainId), sizeBytes };
    await writeFile(join(prepared.path, 'layer.json'), JSON.stringify(layer));
    await this.flush.sync();
    if (prepared.parent !== undefined && !this.layers.has(prepared.parent))
      throw notFound(`parent layer ${prepared.parent} of ${chainId} is not committed`);
    await rename(prepared.path, this.layout.directory(hexOf(chainId)));
    this.prepared.delete(chainId);
    this.layers.set(chainId, layer);
  }

  async abortLayer(chainId: string): Promise<void> {
    const prepared = this.prepared.get(chainId);
    if (prepared === undefined) return;
    this.prepared.delete(chainId);
    await this.trash.discard(prepared.path);
  }

  async hasLayer(chainId: string): Promise<boolean> {
    return this.layers.has(chainId);
  }

  layerIds(): readonly string[] {
    return [...this.layers.keys()];
  }

  async removeLayer(chainId: string): Promise<void> {
    const layer = this.layers.get(chainId);
    if (layer === undefined) return;
    this.layers.delete(chainId);
    await this.trash.discard(this.layout.directory(hexOf(chainId)));
    await unlink(this.layout.link(layer.link)).catch(ignoreAbsent);
  }

  async layerDiffPath(chainId: string): Promise<string> {
    this.layer(chainId);
    return this.layout.diff(hexOf(chainId));
  }

  async createWritable(id: string, parentChainId: string | undefined, options: { bare?: boolean } = {}): Promise<void> {
    if (this.writables.has(id)) throw conflict(`root file system of ${id} exists already`);
    if (parentChainId !== undefined) this.layer(parentChainId);
    const record: Writable = { parent: parentChainId, ...(options.bare ? { bare: true } : {}) };
    this.writables.set(id, record);
    const { layout } = this;
    try {
      await mkdir(layout.directory(id), { mode: 0o710 });
      await Promise.all([
        mkdir(layout.diff(id)).then(() => chmod(layout.diff(id), 0o755)),
        mkdir(layout.work(id), { mode: 0o700 }),
        mkdir(layout.merged(id), { mode: 0o700 }),
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
      this.writables.delete(id);
      await this.trash.discard(layout.directory(id));
      throw error;
    }
  }

  async mount(id: string): Promise<string> {
    const target = this.layout.merged(id);
    const writable = this.writable(id);
    if (this.mounted.has(id)) return target;
    const chain = this.chain(writable.parent);
    const { layout } = this;
    // Nothing below: overlayfs wants at least one lower directory, and none is needed.
    if (writable.bare && chain.length === 0) return layout.diff(id);
    const lower = chain.map((layer) => layout.diff(hexOf(layer.chainId)));
    const links = chain.map((layer) => layer.link);
    mountOverlay({
      lower: writable.bare ? lower : [...lower, layout.diff('init')],
      linkFolder: layout.links,
      links: writable.bare ? links : [...links, initLink],
      upper: layout.diff(id),
      work: layout.work(id),
      target,
    });
    this.mounted.add(id);
    return target;
  }

  async unmount(id: string): Promise<void> {
    if (!this.mounted.delete(id)) return;
    await unmountAside(this.layout.merged(id), { detach: true });
  }

  async removeWritable(id: string): Promise<void> {
    await this.unmount(id);
    if (!this.writables.delete(id)) return;
    await this.trash.discard(this.layout.directory(id));
  }

  async usageBytes(id: string): Promise<number> {
    this.writable(id);
    return directorySizeBytes(this.layout.diff(id));
  }

  /** As inspect shows it: `LowerDir`, `MergedDir`, `UpperDir`, `WorkDir`. `id` names a writable or (by chainID) a layer. */
  describe(id: string): Readonly<Record<string, string>> {
    const layer = this.layers.get(id);
    const name = layer === undefined ? id : hexOf(id);
    const chain = this.chain(layer === undefined ? this.writable(id).parent : layer.parent);
    const lower = chain.map((parent) => this.layout.diff(hexOf(parent.chainId)));
    if (layer === undefined && !this.writable(id).bare) lower.push(this.layout.diff('init'));
    return {
      ...(lower.length > 0 ? { LowerDir: lower.join(':') } : {}),
      MergedDir: this.layout.merged(name),
      UpperDir: this.layout.diff(name),
      WorkDir: this.layout.work(name),
    };
  }

  async listWritable(): Promise<readonly string[]> {
    return [...this.writables.keys()];
  }

  hasWritable(id: string): boolean {
    return this.writables.has(id);
  }

  /** The chainID a writable layer stands on. @throws not-found */
  parentOf(id: string): string | undefined {
    return this.writable(id).parent;
  }

  /** Diff directories below a writable layer, uppermost first, the common lowest one included. */
  lowerPaths(id: string): readonly string[] {
    const { parent, bare } = this.writable(id);
    const lower = this.chain(parent).map((layer) => this.layout.diff(hexOf(layer.chainId)));
    return bare ? lower : [...lower, this.layout.diff('init')];
  }

  upperPath(id: string): string {
    this.writable(id);
    return this.layout.diff(id);
  }

  private layer(chainId: string): Layer {
    const layer = this.layers.get(chainId);
    if (layer === undefined) throw notFound(`layer ${chainId} does not exist`);
    return layer;
  }

  private writable(id: string): Writable {
    const writable = this.writables.get(id);
    if (writable === undefined) throw notFound(`root file system of ${id} does not exist`);
    return writable;
  }

  private chain(top: string | undefined): Layer[] {
    const chain: Layer[] = [];
    for (let at = top; at !== undefined; ) {
      const layer = this.layer(at);
      chain.push(layer);
      at = layer.parent;
    }
    return chain;
  }

  private async makeLink(chainId: string): Promise<string> {
    for (;;) {
      const link = randomBytes(5).readUIntBE(0, 5).toString(36).toUpperCase().padStart(8, '0');
      try {
        await symlink(join('..', hexOf(chainId), 'diff'), this.layout.link(link));
        return link;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  private async load(): Promise<void> {
    const { layout } = this;
    const entries = await readdir(layout.root);
    await Promise.all(entries.filter((name) => /^[0-9a-f]{64}$/.test(name)).map((id) => this.loadOne(id)));
    const usedLinks = new Set([initLink, ...[...this.layers.values()].map((layer) => layer.link)]);
    for (const link of await readdir(layout.links)) if (!usedLinks.has(link)) await unlink(layout.link(link));
    if (!entries.includes('init')) await ensureInitLayer(layout);
    await symlink('../init/diff', layout.link(initLink)).catch((error) => {
      if (error.code !== 'EEXIST') throw error;
    });
    for (const path of await mountPointsBelow(layout.root)) {
      const [id, last] = path.slice(layout.root.length + 1).split('/');
      if (last === 'merged' && this.writables.has(id!)) this.mounted.add(id!);
    }
  }

  private async loadOne(id: string): Promise<void> {
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

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

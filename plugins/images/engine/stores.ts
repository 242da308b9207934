import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type DaemonSettings,
  type EventBus,
  type ImageUsers,
  KeyedLock,
  type Logger,
  type Snapshotter,
} from '@gantry/sdk';
import { Downloads } from '../registry/downloads';
import { Registries } from '../registry/registries';
import { ContentStore } from '../store/content-store';
import { DistributionFacts } from '../store/distribution-facts';
import { ImageLeases } from '../store/image-leases';
import { ImageStore } from '../store/image-store';
import { LayerStore } from '../store/layer-store';
import { PluginRoots } from '../store/plugin-roots';
import { ReferenceStore } from '../store/reference-store';
import { Scratch } from '../store/scratch';
import { UnfinishedPulls } from '../store/unfinished-pulls';
import { TransferThread } from '../transfer/transfer-thread';
import { LayerWorkers } from '../unpack/layer-workers';

/** Everything the image operations work on. */
export interface Stores {
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly images: ImageStore;
  readonly references: ReferenceStore;
  readonly snapshotter: Snapshotter;
  /** The snapshotter's name, as users write it. */
  readonly storageDriver: string;
  readonly pluginRoots: PluginRoots;
  readonly workers: LayerWorkers;
  readonly transfers: TransferThread;
  readonly scratch: Scratch;
  readonly facts: DistributionFacts;
  readonly downloads: Downloads;
  readonly unfinishedPulls: UnfinishedPulls;
  readonly registries: Registries;
  readonly settings: DaemonSettings;
  readonly users: UserRegistry;
  readonly leases: ImageLeases;
  readonly events: EventBus;
  readonly log: Logger;
  /** One change to images and their names at a time: a new image must not be pruned before it has its tag. */
  change<T>(work: () => Promise<T>): Promise<T>;
}

/** Who uses images, once somebody has said so. */
export class UserRegistry implements ImageUsers {
  private users: ImageUsers | undefined;

  set(users: ImageUsers): void {
    this.users = users;
  }

  containersUsing(imageId: string): readonly { readonly id: string; readonly running: boolean }[] {
    return this.users?.containersUsing(imageId) ?? [];
  }
}

/** Opens all stores below `stateDir` and makes them agree with each other. */
export async function openStores(
  stateDir: string,
  { name: storageDriver, snapshotter }: { readonly name: string; readonly snapshotter: Snapshotter },
  settings: DaemonSettings,
  certificateFolder: string,
  events: EventBus,
  log: Logger,
  onStop: (cleanup: () => Promise<void>) => void,
): Promise<Stores> {
  const workers = new LayerWorkers();
  onStop(() => workers.close());
  const transfers = new TransferThread();
  onStop(() => transfers.close());
  await removeHalfWritten(stateDir);
  const scratch = await Scratch.open(join(stateDir, 'tmp'));
  const content = await ContentStore.open(join(stateDir, 'content'));
  const layers = await LayerStore.open(join(stateDir, 'layers'), snapshotter, workers, log);
  onStop(async () => layers.close());
  const images = await ImageStore.open(join(stateDir, 'images'), content, layers, log);
  const references = await ReferenceStore.open(join(stateDir, 'repositories.json'));
  await references.prune((id) => images.get(id) !== undefined);
  for (const id of await snapshotter.listWritable()) {
    const parent = snapshotter.parentOf(id);
    if (parent !== undefined && layers.get(parent) !== undefined) layers.hold(parent);
  }
  const unfinishedPulls = await UnfinishedPulls.open(join(stateDir, 'unfinished-pulls.json'), layers);
  await layers.collect();
  const facts = await DistributionFacts.open(join(stateDir, 'distribution.json'));
  const { maxConcurrentDownloads, maxDownloadAttempts } = settings;
  const downloads = await Downloads.open(join(stateDir, 'ingest'), maxConcurrentDownloads, maxDownloadAttempts);
  const lock = new KeyedLock();
  const registries = new Registries(settings, log, certificateFolder, transfers);
  onStop(() => registries.close());
  return {
    content,
    layers,
    images,
    references,
    snapshotter,
    storageDriver,
    pluginRoots: await PluginRoots.open(join(stateDir, 'plugin-roots')),
    workers,
    transfers,
    scratch,
    facts,
    downloads,
    unfinishedPulls,
    registries,
    settings,
    users: new UserRegistry(),
    leases: new ImageLeases(),
    events,
    log,
    change: (work) => lock.run('images', work),
  };
}

/** What a killed daemon was writing when it was replaced atomically. */
async function removeHalfWritten(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (/\.json\.tmp-\d+-\d+$/.test(name)) await rm(join(folder, name), { force: true });
}

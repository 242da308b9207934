import { capability } from '../plugin/capability';
import type { Logger } from './logger';

/** A path that differs between a writable layer and what it stands on. */
export interface LayerChange {
  /** Absolute inside the container. */
  readonly path: string;
  /** 0 modified, 1 added, 2 deleted, as in GET /containers/{id}/changes. */
  readonly kind: 0 | 1 | 2;
}

/** A directory with a writable layer's own files alone, in overlayfs form. */
export interface LayerDifference {
  /** Absolute. */
  readonly path: string;
  /** Nothing may be moved out of the directory, though it was to be consumed. */
  readonly mustStay?: boolean;
  /** Called when the directory is not read any more, whether or not it was moved away. Repeatable. */
  release(): Promise<void>;
}

/** By their names. */
export type StorageOptions = Readonly<Record<string, string>>;

/** What a writable layer is for, and what its user asks of it. */
export interface WritableOptions {
  /** Only the layers and itself: without the mount points a container needs. */
  readonly bare?: boolean;
  /**
   * What the user asks of it; empty = what the daemon's options give to all containers. Undefined for layers that are
   * no container's: nothing limits these.
   */
  readonly storageOptions?: StorageOptions;
}

/**
 * Layer storage, opened. Committed layers are named by chainID, writable ones by container id (64 hex digits).
 *
 * Layers are handed over and handed out in overlayfs form: a deletion is a character device 0:0, a directory that hides
 * those below it carries `trusted.overlay.opaque=y`. What they are kept as is the snapshotter's own affair.
 */
export interface Snapshotter {
  /**
   * Makes an empty directory into which a layer above `parent` is unpacked. The parent may still be on its way.
   *
   * @throws conflict  the layer exists or is being made
   */
  prepareLayer(chainId: string, parentChainId: string | undefined): Promise<{ readonly path: string }>;
  /**
   * Makes the prepared layer visible, and durable unless there is a `sync`.
   *
   * @throws not-found  it is not prepared, or its parent is missing
   */
  commitLayer(chainId: string, sizeBytes: number): Promise<void>;
  /**
   * For snapshotters whose `commitLayer` does not wait for the disk: what was committed before the call survives a loss
   * of power when this resolves. Until then whoever committed has to find out whether a layer did.
   */
  sync?(): Promise<void>;
  /** Drops a layer that was prepared and not committed. Repeatable. */
  abortLayer(chainId: string): Promise<void>;
  hasLayer(chainId: string): Promise<boolean>;
  /** ChainIDs of the committed layers, so that records kept elsewhere can be made to agree after a crash. */
  listLayers(): Promise<readonly string[]>;
  /** Gone under its name when this returns; absent is no error. The caller sees to it that nothing stands on it. */
  removeLayer(chainId: string): Promise<void>;
  /** The directory that holds only this layer's own files. @throws not-found */
  layerDiffPath(chainId: string): Promise<string>;
  /**
   * Looks at what a user asks of a writable layer, before anything is made. A snapshotter without it has no such
   * options: asking for one is refused, naming it.
   *
   * @param options as in `HostConfig.StorageOpt`, such as `{ size: '10G' }`
   * @throws system  in the words of dockerd's driver: unknown, malformed, or more than the file system can
   */
  checkStorageOptions?(options: StorageOptions): void;
  /**
   * Durable before it returns; when it fails nothing stays.
   *
   * @throws conflict   it exists already
   * @throws not-found  the parent is not committed
   */
  createWritable(id: string, parentChainId: string | undefined, options?: WritableOptions): Promise<void>;
  hasWritable(id: string): boolean;
  /** The chainID a writable layer stands on. @throws not-found */
  parentOf(id: string): string | undefined;
  listWritable(): Promise<readonly string[]>;
  /** Makes the files visible and returns the absolute path of their root. Repeatable. @throws not-found */
  mount(id: string): Promise<string>;
  /** Repeatable. */
  unmount(id: string): Promise<void>;
  /** Unmounts it, too. Absent is no error. */
  removeWritable(id: string): Promise<void>;
  /** Bytes of the files a writable layer has that its parent has not. @throws not-found */
  usageBytes(id: string): Promise<number>;
  /** Sorted by path; a directory is listed as modified when something in it changed. @throws not-found */
  changes(id: string): Promise<readonly LayerChange[]>;
  /**
   * What a writable layer changes, to be made an image layer.
   *
   * @param options.consume the writable layer is not used any more and is removed next: the directory may be its own,
   *   and may be moved away
   * @throws not-found
   */
  difference(id: string, options: { readonly consume: boolean }, signal: AbortSignal): Promise<LayerDifference>;
  /** What inspect shows as `GraphDriver.Data`, of a writable layer or (by chainID) of a committed one. @throws not-found */
  describe(id: string): Readonly<Record<string, string>> | null;
  /** What GET /info shows as `DriverStatus`. */
  status(): Promise<readonly (readonly [name: string, value: string])[]>;
  /** Ends work in the background. What is mounted stays mounted. */
  close(): Promise<void>;
}

/** A way to keep layers. The key under which a plugin provides it is what users write as `storage-driver`. */
export interface SnapshotterDriver {
  /**
   * Called once, for the driver that was chosen. Throws away halves that a crash has left behind.
   *
   * @param folder absolute, the driver's own below the data root; the driver makes it when it is missing
   * @param options `storage-opts` of the daemon, each `key=value` and meant for this driver
   * @throws invalid-parameter  an option is unknown or malformed
   * @throws system  this machine cannot do it: the message says what it lacks
   */
  open(folder: string, log: Logger, options: readonly string[]): Promise<Snapshotter>;
}

export const Snapshotter1 = capability<SnapshotterDriver>('snapshotter/v1', 'many');

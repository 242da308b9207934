import { capability } from '../plugin/capability';

/** Layer storage. Committed layers are named by chainID, writable ones by container id. */
export interface Snapshotter {
  /**
   * Makes an empty directory into which a layer above `parent` is unpacked. Whiteouts are given in the
   * OCI form; the snapshotter's `unpackRoot` expects its own form (overlay2: char device 0:0, opaque xattr).
   */
  prepareLayer(chainId: string, parentChainId: string | undefined): Promise<{ readonly path: string }>;
  /** Makes the prepared layer durable and visible. */
  commitLayer(chainId: string, sizeBytes: number): Promise<void>;
  /** Drops a layer that was prepared and not committed. */
  abortLayer(chainId: string): Promise<void>;
  hasLayer(chainId: string): Promise<boolean>;
  removeLayer(chainId: string): Promise<void>;
  /** The directory that holds only this layer's own files. */
  layerDiffPath(chainId: string): Promise<string>;
  /** @param options.bare only the layers and itself: without the mount points a container needs */
  createWritable(id: string, parentChainId: string | undefined, options?: { readonly bare?: boolean }): Promise<void>;
  mount(id: string): Promise<string>;
  unmount(id: string): Promise<void>;
  removeWritable(id: string): Promise<void>;
  /** Bytes in the writable layer. */
  usageBytes(id: string): Promise<number>;
  describe(id: string): Readonly<Record<string, string>>;
  listWritable(): Promise<readonly string[]>;
}

export const Snapshotter1 = capability<Snapshotter>('snapshotter/v1', 'many');

import type { FileRange } from '../unpack/decompress';
import type { UnpackResult } from '../unpack/unpack-layer';

interface LayerName {
  readonly diffId: string;
  readonly chainId: string;
  readonly parent: string | undefined;
}

/** A layer that is there already, in overlayfs form; directory and recipe are moved away. */
export interface UnpackedLayer extends LayerName {
  readonly unpacked: {
    readonly sizeBytes: number;
    readonly tarSizeBytes: number;
    readonly directory: string;
    readonly recipePath: string;
  };
  readonly onReady?: undefined;
  readonly done?: undefined;
}

/** A layer that was unpacked before anybody knew which it is. */
export interface EarlyLayer extends UnpackResult {
  /** Both on the file system of the layers; they are moved away. */
  readonly directory: string;
  readonly recipePath: string;
  /** Removes what was not moved away. */
  release(): Promise<void>;
}

export interface PackedLayer extends LayerName {
  readonly unpacked?: undefined;
  /** Asked first, and only when the layer must be unpacked. */
  early?(): Promise<EarlyLayer | undefined>;
  /** Called only when the layer must be unpacked. The file stays until `done`. */
  open(signal: AbortSignal): Promise<FileRange>;
  /** `failed`: not because of the archive, which another attempt may use again. */
  done?(outcome: 'settled' | 'failed'): Promise<void>;
  onProgress?(tarBytes: number): void;
  /** The archive was read and is right; the layer is not on the disk yet. */
  onRead?(): Promise<void>;
  /** It was unpacked just now (not: it was there already). */
  onReady?(): void;
}

export type LayerSource = PackedLayer | UnpackedLayer;

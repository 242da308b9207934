import type { ErrorKind } from '@gantry/sdk';
import type { PackRequest, PackResult } from '../commit/pack-layer';
import type { CompareRequest, Comparison } from '../vfs/compare-trees';
import type { CopyRequest } from '../vfs/copy-tree';
import type { UnpackRequest, UnpackResult } from './unpack-layer';

/** What a worker can do. */
export type LayerTask =
  | { readonly kind: 'unpack'; readonly request: UnpackRequest }
  | { readonly kind: 'pack'; readonly request: PackRequest }
  | { readonly kind: 'copy'; readonly request: CopyRequest }
  | { readonly kind: 'compare'; readonly request: CompareRequest };

export type LayerTaskResult = UnpackResult | PackResult | Comparison | undefined;

export interface ToWorker {
  readonly job: number;
  readonly task: LayerTask;
  /** One 32-bit integer; other than 0 = stop. */
  readonly cancelled: SharedArrayBuffer;
}

export type FromWorker =
  | { readonly kind: 'progress'; readonly job: number; readonly tarBytes: number }
  | { readonly kind: 'done'; readonly job: number; readonly result: LayerTaskResult }
  | { readonly kind: 'failed'; readonly job: number; readonly errorKind: ErrorKind; readonly message: string };

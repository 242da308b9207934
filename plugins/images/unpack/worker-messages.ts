import type { ErrorKind } from '@gantry/sdk';
import type { UnpackRequest, UnpackResult } from './unpack-layer';

export type ToWorker =
  | { readonly kind: 'unpack'; readonly job: number; readonly request: UnpackRequest }
  | { readonly kind: 'cancel'; readonly job: number };

export type FromWorker =
  | { readonly kind: 'progress'; readonly job: number; readonly tarBytes: number }
  | { readonly kind: 'done'; readonly job: number; readonly result: UnpackResult }
  | { readonly kind: 'failed'; readonly job: number; readonly errorKind: ErrorKind; readonly message: string };

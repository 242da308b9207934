import type { ErrorKind } from '@gantry/sdk';
import type { ArchiveEntry, LayerEntry } from '../archive/index-archive';
import type { ReceiveRequest, ReceiveResult } from './receive-blob';

/** Entries of an archive by name. */
export type SpoolResult = ReadonlyMap<string, ArchiveEntry>;

export type ToTransferThread =
  | { readonly kind: 'receive'; readonly job: number; readonly request: ReceiveRequest }
  | { readonly kind: 'spool'; readonly job: number; readonly path: string }
  /** Bytes of the archive that is spooled; an empty list is its end. */
  | { readonly kind: 'bytes'; readonly job: number; readonly chunks: readonly Uint8Array[] }
  | { readonly kind: 'cancel'; readonly job: number };

export type FromTransferThread =
  /** Bytes received or taken so far. */
  | { readonly kind: 'moved'; readonly job: number; readonly bytes: number }
  /** A likely layer of an archive is in its file. */
  | { readonly kind: 'layer'; readonly job: number; readonly entry: LayerEntry }
  | { readonly kind: 'done'; readonly job: number; readonly result: ReceiveResult | SpoolResult }
  | {
      readonly kind: 'failed';
      readonly job: number;
      readonly errorKind: ErrorKind;
      readonly message: string;
      readonly code: string | undefined;
    };

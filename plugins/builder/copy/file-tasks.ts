import type { ErrorKind } from '@gantry/sdk';
import type { CopyJob } from './copy-files';
import type { CopyItem, Selection, SelectRequest } from './select-files';

/** What a file worker can do. Buffers arrive as Uint8Array. */
export type FileTask =
  /** @property counts items of each source that were sent ahead, in order; absent = they are in the job */
  | { readonly kind: 'copy'; readonly job: CopyJob; readonly counts?: readonly number[] }
  | { readonly kind: 'make-directory'; readonly root: string; readonly path: string }
  /** From a real directory. */
  | { readonly kind: 'select'; readonly root: string; readonly request: SelectRequest }
  /** Makes a part of a context real, with its owners. */
  | { readonly kind: 'unpack-tree'; readonly root: string; readonly items: readonly CopyItem[] }
  /** The absolute path a path below a root leads to, and what is there. */
  | { readonly kind: 'resolve'; readonly root: string; readonly path: string }
  /** Which of these paths, and of those above them, are not there: what a mount will make. */
  | { readonly kind: 'missing'; readonly root: string; readonly paths: readonly string[] }
  /** Makes one tree like another one. */
  | { readonly kind: 'make-equal'; readonly root: string; readonly source: string }
  /** Removes what is empty of these, in their order. */
  | { readonly kind: 'remove-empty'; readonly root: string; readonly paths: readonly string[] };

/** What a worker answers. */
export type FileTaskResult = Selection | ResolvedPlace | readonly string[] | void;

export interface ResolvedPlace {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'other' | undefined;
}

/** A part of a long list comes before the task it belongs to: one message of all would hold up the sender. */
export type ToFileWorker =
  | { readonly job: number; readonly items: readonly CopyItem[]; readonly task?: undefined }
  | { readonly job: number; readonly task: FileTask };

export type FromFileWorker =
  | { readonly job: number; readonly result: FileTaskResult; readonly failed?: undefined }
  | { readonly job: number; readonly failed: { readonly kind: ErrorKind; readonly message: string } };

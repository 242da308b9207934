import type { ErrorKind } from '@gantry/sdk';
import type { CopyJob } from './copy-files';
import type { CopyItem, CopySource, SelectRequest } from './select-files';

/** What a file worker can do. Buffers arrive as Uint8Array. */
export type FileTask =
  | { readonly kind: 'copy'; readonly job: CopyJob }
  | { readonly kind: 'make-directory'; readonly root: string; readonly path: string }
  /** From a real directory, what the history says of the files. */
  | { readonly kind: 'label'; readonly root: string; readonly request: SelectRequest }
  /** From a real directory. */
  | { readonly kind: 'select'; readonly root: string; readonly request: SelectRequest }
  /** Everything below a real directory, without digests. */
  | { readonly kind: 'list'; readonly root: string }
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
export type FileTaskResult = readonly CopySource[] | string | ResolvedPlace | readonly string[] | void;

export interface ResolvedPlace {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'other' | undefined;
}

/** A part of a long list comes before the task it belongs to: one message of all would hold up the sender. */
export type ToFileWorker =
  | { readonly job: number; readonly items: readonly CopyItem[]; readonly task?: undefined }
  /** @property counts how many items of each list came ahead, in order; absent = they are in the task */
  | { readonly job: number; readonly task: FileTask; readonly counts?: readonly number[] };

export type FromFileWorker =
  | { readonly job: number; readonly result: FileTaskResult; readonly failed?: undefined }
  | { readonly job: number; readonly failed: FileTaskFailure };

export interface FileTaskFailure {
  readonly kind: ErrorKind;
  readonly message: string;
  /** The path that is not there. */
  readonly missing?: string;
}

/** The lists of files a task carries. */
export function listsOf(task: FileTask): readonly (readonly CopyItem[])[] {
  if (task.kind === 'unpack-tree') return [task.items];
  if (task.kind !== 'copy' || 'from' in task.job.sources) return [];
  return task.job.sources.map(({ items }) => items);
}

/** The task with these lists in place of its own. */
export function withLists(task: FileTask, lists: readonly (readonly CopyItem[])[]): FileTask {
  if (task.kind === 'unpack-tree') return { ...task, items: lists[0]! };
  if (task.kind !== 'copy' || 'from' in task.job.sources) return task;
  const sources = task.job.sources.map((source, index) => ({ ...source, items: lists[index]! }));
  return { kind: 'copy', job: { ...task.job, sources } };
}

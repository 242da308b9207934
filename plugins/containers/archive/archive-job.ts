import type { PathStat } from './path-stat';

/** A volume, a mounted image or a path of the host, at its place in the container. */
export interface ArchiveBind {
  readonly source: string;
  /** A part of it; empty = all. Links in there do not lead out of the source. */
  readonly subpath: string;
  readonly destination: string;
  readonly readWrite: boolean;
}

/** What the archive process is asked to do. */
export interface ArchiveJob {
  /** Becomes the root of the process before it looks at any path. */
  readonly root: string;
  /** Mounted below the root in a namespace of the process's own; for containers that do not run. */
  readonly binds: readonly ArchiveBind[];
  /** `export` packs what is in the root. */
  readonly action: 'stat' | 'pack' | 'unpack' | 'export';
  /** Absolute; a slash or `/.` at the end means the directory itself. */
  readonly path: string;
  readonly noOverwriteDirNonDir: boolean;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/** What it answers on its report descriptor, one JSON line: for `pack` before the archive, for `unpack` after it. */
export type ArchiveReport =
  | { readonly ok: true; readonly stat: PathStat | undefined }
  | {
      readonly ok: false;
      readonly reason: 'missing' | 'not-a-directory' | 'read-only' | 'invalid' | 'failed';
      readonly message: string;
    };

/** Descriptor of the report. */
export const REPORT_FD = 3;

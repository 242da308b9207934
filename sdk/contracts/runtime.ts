import type { Readable, Writable } from 'node:stream';
import { capability } from '../plugin/capability';
import type { OciProcess, OciResources, OciSpec } from './oci';

/** How a process ended. */
export interface ExitStatus {
  /** 0–255; 128 + n when killed by signal n. */
  readonly code: number;
  readonly exitedAt: Date;
  /** The same moment in nanoseconds since the epoch, when the runtime knows it that well. */
  readonly exitedAtNs?: bigint;
}

/**
 * Output of which no byte is lost with a daemon that is killed: what its reader has not let go is handed over again by
 * the next daemon. Whoever does not need that reads it as any other stream.
 */
export interface RetainedOutput extends Readable {
  /** What an earlier daemon had read and not let go; undefined when there is none, and once `retain` was called. */
  readonly left: LeftOutput | undefined;
  /** Stays with what the next `keep` keeps: 64 bytes of the reader's own, zeros at first. */
  readonly note: Buffer;
  /**
   * Reads on, in place of 'data'. The first chunk is what was left, if anything was. Nothing is read while a returned
   * promise is pending; chunks are the reader's own. 'end' and 'close' come as with any stream.
   */
  retain(take: (chunk: Buffer) => void | Promise<void>): void;
  /** From now on the last chunk may be stored in part: `left` tells the next daemon this time, in nanoseconds. */
  mark(timeNs: bigint): void;
  /** Lets go of all that was handed over, except the last bytes: fewer than 16 KiB. */
  keep(bytes: number): void;
}

/** What a daemon that is gone had in its hands. */
export interface LeftOutput {
  readonly data: Buffer;
  /** What `mark` said; undefined when none of it can have been stored. */
  readonly markedNs: bigint | undefined;
  readonly note: Buffer;
}

/** Streams of a process. The owner must read stdout and stderr; a stream is finished at its end, not at `wait`. */
export interface ProcessStreams {
  /** Present when stdin was asked for. `end()` closes the process's stdin. */
  readonly stdin?: Writable;
  /** Of a container, the outputs may be `RetainedOutput`s. */
  readonly stdout: Readable;
  /** Absent with a terminal. */
  readonly stderr?: Readable;
}

/** What a runtime needs to make a container. */
export interface TaskCreate {
  /** Container id, 64 hex digits. */
  readonly id: string;
  /** A directory of the runtime's own for this container; made by the runtime, removed by `delete`. */
  readonly spec: OciSpec;
  readonly openStdin: boolean;
  readonly terminal: boolean;
  /**
   * Directory of a checkpoint of this container: its processes go on from there at `start`, and have no pid before.
   * @throws not-implemented  the runtime has no checkpoints, with the reason
   */
  readonly checkpoint?: string;
}

/** What a runtime needs to start another process in a container. */
export interface ExecCreate {
  /** Exec id, 64 hex digits. */
  readonly id: string;
  readonly process: OciProcess;
  readonly openStdin: boolean;
  readonly terminal: boolean;
}

/** A process the runtime started inside a container. */
export interface RunningProcess {
  readonly pid: number;
  readonly streams: ProcessStreams;
  /** @throws not-found  the process is gone */
  kill(signal: number): Promise<void>;
  /** Terminal size in characters. @throws invalid-parameter it has no terminal */
  resize(columns: number, rows: number): Promise<void>;
  /** Resolves once with the exit; never rejects while the container exists (a lost supervisor counts as 137). */
  wait(): Promise<ExitStatus>;
}

/** One container inside a runtime, from create to delete. */
export interface Task extends RunningProcess {
  readonly id: string;
  start(): Promise<void>;
  /** Every process of the container, also those the first one left behind. */
  killAll(signal: number): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  status(): Promise<'created' | 'running' | 'paused' | 'stopped'>;
  /** Host pids of all processes. */
  pids(): Promise<readonly number[]>;
  update(resources: OciResources): Promise<void>;
  exec(request: ExecCreate): Promise<RunningProcess>;
  /**
   * Writes the state of its processes into an empty directory, which is the caller's. It goes on, or ends with `exit`.
   * @throws not-implemented  the runtime has no checkpoints, with the reason
   * @throws system           in the OCI runtime's own words
   */
  checkpoint(request: { readonly directory: string; readonly exit: boolean }): Promise<void>;
  /** True when the kernel's OOM killer struck inside the container's cgroup. */
  oomKilled(): Promise<boolean>;
  /** Frees everything: supervisor, bundle, cgroup, FIFOs. Repeatable. */
  delete(): Promise<void>;
}

/** An OCI runtime. What it runs outlives the daemon. */
export interface Runtime {
  /**
   * Creates the container's first process, stopped before its program. On failure nothing is left behind.
   * @throws system  with the OCI runtime's own words: `OCI runtime create failed: …`
   */
  create(request: TaskCreate, signal: AbortSignal): Promise<Task>;
  /** Finds a container that an earlier daemon created; its streams continue where they were. Undefined when nothing is left of it. */
  reconnect(id: string, io: { openStdin: boolean; terminal: boolean }): Promise<Task | undefined>;
  /** Ids the runtime still holds anything of, so that orphans can be deleted. */
  list(): Promise<readonly string[]>;
  /** Removes whatever is left of an id that cannot be reconnected. Repeatable. */
  purge(id: string): Promise<void>;
  /** Path and version of the OCI runtime binary. @throws not-found the binary is missing */
  version(): Promise<{
    readonly path: string;
    readonly name: string;
    readonly version: string;
    readonly commit: string;
  }>;
  /**
   * What the OCI runtime supports: the JSON text of its features document. Undefined when it cannot tell.
   * @see OCI runtime spec, features.md
   */
  features?(): Promise<string | undefined>;
}

export const Runtime1 = capability<Runtime>('runtime/v1', 'many');

/** Runs managed plugins: as the daemon's default runtime, with ids of its own, so that no container manager sees them. */
export const PluginRuntime1 = capability<Runtime>('plugin-runtime/v1');

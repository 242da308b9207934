import { capability } from '../plugin/capability';

/** A container as other plugins see it. */
export interface ContainerSummary {
  readonly id: string;
  /** Without leading slash. */
  readonly name: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';
}

/** A container to be made, in the Engine API's own documents and field names. @see POST /containers/create */
export interface ContainerRequest {
  /** 64 random hex digits, for who must know the id before it exists. Absent = chosen here. */
  readonly id?: string;
  /** Absent = a generated one. */
  readonly name?: string;
  /** The `ContainerConfig` document, `Image` included. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The `HostConfig` document. */
  readonly hostConfig: Readonly<Record<string, unknown>>;
}

/** The containers, as other plugins see them. */
export interface ContainerManager {
  /** @param reference full id, unique id prefix, or name. @throws not-found `No such container: x` */
  get(reference: string): ContainerSummary;
  list(): readonly ContainerSummary[];
  /**
   * Makes a container; it does not run yet. Durable before it returns.
   *
   * @throws not-found          no such image
   * @throws invalid-parameter  a field is wrong; nothing was made
   */
  create(
    request: ContainerRequest,
    signal: AbortSignal,
  ): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  /** @throws not-modified it runs already; invalid-parameter, system it cannot be started */
  start(id: string, signal: AbortSignal): Promise<void>;
  /**
   * Follows a container's output; attached before the start, nothing of it is lost. Resolves when the output has
   * ended, or the signal aborts.
   *
   * @param onOutput a returned promise holds the container back
   */
  attach(
    id: string,
    onOutput: (source: 'stdout' | 'stderr', chunk: Buffer) => void | Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Resolves when it does not run any more; undefined when the signal aborted first. */
  wait(id: string, signal: AbortSignal): Promise<{ readonly exitCode: number; readonly error?: string } | undefined>;
  /** Kills (with `force`) and removes it, with its anonymous volumes when `volumes` is set. @throws not-found, conflict */
  remove(id: string, options: { readonly force: boolean; readonly volumes: boolean }): Promise<void>;
}

/** The container engine; there is one. */
export const Containers1 = capability<ContainerManager>('containers/v1');

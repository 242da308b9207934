import type { SourcePosition } from '../dockerfile/source-position';
import type { BuildDialect } from './dialect';

/** What a client asks of a build. @see Docker Engine API, POST /build */
export interface BuildRequest {
  /** Path in the context; empty = `Dockerfile`. */
  readonly dockerfile: string;
  /** URL or git repository to take the context from; empty = the request's body. */
  readonly remote: string;
  /** Checked `name:tag` references. */
  readonly tags: readonly string[];
  /** null = named without a value. */
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string;
  /** `os/architecture[/variant]`; empty = this machine's. */
  readonly platform: string;
  readonly cacheFrom: readonly string[];
  readonly noCache: boolean;
  /** Names of stages for which nothing is taken from the cache. */
  readonly noCacheStages: readonly string[];
  /** Ask the registry even when the base image is here. */
  readonly pull: boolean;
  /** Only the image's id is answered. */
  readonly quiet: boolean;
  /** Remove the containers of steps that succeeded. */
  readonly remove: boolean;
  /** Remove the containers of steps that failed too. */
  readonly forceRemove: boolean;
  readonly squash: boolean;
  readonly networkMode: string;
  readonly extraHosts: readonly string[];
  /** Resource fields of a HostConfig document. */
  readonly resources: Readonly<Record<string, unknown>>;
  /** The client's session, for secrets and agents; empty = none. */
  readonly session: string;
  readonly dialect: BuildDialect;
  /** AuthConfig documents by registry. */
  readonly registryConfig: Readonly<Record<string, unknown>>;
}

/** A failure with the code that clients make their exit code. */
export class StepFailed extends Error {
  constructor(
    message: string,
    readonly code: number,
    /** The instruction that ran the command. */
    readonly at: SourcePosition,
  ) {
    super(message);
    this.name = 'StepFailed';
  }
}

import { capability } from '../plugin/capability';
import type { ImageSummary } from './images';
import type { OciSpec } from './oci';

/** A JSON object. */
export type JsonObject = { readonly [name: string]: unknown };

/**
 * A change of a JSON document: objects are merged, any other value replaces what is there, null takes it out. A list is
 * replaced as a whole: start from the one that was given.
 * @see RFC 7396, JSON merge patch
 */
export type MergePatch = JsonObject;

/** A create request in the API's own field names, with the API's zero values where the client sent nothing. */
export interface CreateHookRequest {
  /** The name the client wishes; empty = a generated one. */
  readonly name: string;
  readonly image: ImageSummary;
  /** @see Engine API, ContainerConfig; as the client sent it, not yet completed from the image */
  readonly config: JsonObject;
  /** @see Engine API, HostConfig */
  readonly hostConfig: JsonObject;
  /** @see Engine API, NetworkingConfig.EndpointsConfig */
  readonly endpoints: JsonObject;
}

/** What a hook wants changed; absent parts stay as they are. */
export interface CreateHookAnswer {
  readonly config?: MergePatch;
  readonly hostConfig?: MergePatch;
  readonly endpoints?: MergePatch;
  /** Shown to the client beside the engine's own. */
  readonly warnings?: readonly string[];
}

/** A container about to start. */
export interface SpecHookRequest {
  readonly containerId: string;
  /** Without leading slash. */
  readonly containerName: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What the OCI runtime will be given. */
  readonly spec: OciSpec;
}

/**
 * Looks at what is asked of containers, and at what the OCI runtime is given; may change it or refuse it.
 *
 * All hooks are asked one after the other, each seeing what the earlier ones changed. What one of them throws, or a
 * deadline that passes, fails the request: nothing is made, or the container stays as it was. A kind of error keeps its
 * HTTP status (`forbidden` is 403). Each change is shown in inspect with its author (`SpecHooks`).
 */
export interface SpecHook {
  /** Lower is earlier, 100 when absent; hooks of one order go by name. */
  readonly order?: number;
  /** For each call; 2,000 when absent. */
  readonly deadlineMs?: number;
  /**
   * Before anything of a container is made. Must change nothing itself: the request may still fail.
   * @throws forbidden  the container must not be made
   */
  onCreate?(request: CreateHookRequest, signal: AbortSignal): Promise<CreateHookAnswer | undefined>;
  /**
   * Before each start, restarts included. `root/path`, `linux/cgroupsPath` and `process/terminal` are the engine's.
   * @returns a change of the spec
   * @throws forbidden  the container must not start
   */
  onSpec?(request: SpecHookRequest, signal: AbortSignal): Promise<MergePatch | undefined>;
}

export const SpecHook1 = capability<SpecHook>('spec-hook/v1', 'many');

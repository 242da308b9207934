import type { ContainerConfig, EndpointSettings, HostConfig } from '../config/container-config';
import type { ContainerState } from '../run/state';

/** Where something is mounted in a container; `hostConfig` tells what was asked, this what it became. */
export interface MountPoint {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'image';
  /** Host path of a bind; of a volume, as far as its driver has told it; an image's reference; empty for a tmpfs. */
  readonly source: string;
  /** Absolute, clean path in the container. */
  readonly destination: string;
  /** Volume name; empty for binds. */
  readonly name: string;
  readonly driver: string;
  readonly readWrite: boolean;
  /** As the user wrote it after the destination, such as `ro,z`. */
  readonly mode: string;
  /** `rprivate`, `rslave`, …; empty for the default. */
  readonly propagation: string;
  readonly recursive: boolean;
  /** Copy what the image has at the destination into an empty volume. */
  readonly copyUp: boolean;
  /** Whether a read-only mount is so with all that is mounted below it; absent = where the kernel can. */
  readonly recursiveReadOnly?: 'never' | 'where-possible' | 'required';
  /** `sha256:…` of a mounted image. Its files are a root file system of their own, named by `mountId`. */
  readonly imageId?: string;
  /** Directory or file inside the volume or image; empty = its root. */
  readonly subpath: string;
  /** Removed with the container by `rm -v`. */
  readonly anonymous: boolean;
  /** Make the host directory when it is missing, as `-v` does. */
  readonly createSource: boolean;
  /** Names this use of the volume towards its driver: 64 hex digits. */
  readonly mountId: string;
  /** Options of a tmpfs. */
  readonly options?: readonly string[];
}

/** What a spec hook changed. */
export interface HookPatch {
  /** The name it is provided under. */
  readonly hook: string;
  readonly phase: 'create' | 'start';
  /** JSON Pointers into the create request, or into the OCI spec. */
  readonly pointers: readonly string[];
}

/** Everything kept about a container, one JSON file each. `version` is raised when older daemons could not read it. */
export interface ContainerRecord {
  readonly version: 1;
  readonly id: string;
  /** Without leading slash. */
  name: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** `sha256:…`. */
  readonly imageId: string;
  readonly platform: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly config: ContainerConfig;
  hostConfig: HostConfig;
  readonly graphDriver: { readonly name: string; readonly data: Readonly<Record<string, string>> | null };
  readonly log: { readonly type: string; readonly options: Readonly<Record<string, string>> };
  mounts: readonly MountPoint[];
  /** Changes that spec hooks made at the creation and at the last start. */
  hookPatches?: readonly HookPatch[];
  /** What the user asked of each network, by network name. */
  networks: Record<string, EndpointSettings>;
  /** What came of each network at the last start, by network name; inspect tells it after the container has ended. */
  lastEndpoints?: Readonly<Record<string, { readonly networkId: string; readonly dnsNames: readonly string[] }>>;
  state: ContainerState;
  restartCount: number;
  /** Stopped by a user: `unless-stopped` leaves it so. */
  stoppedByUser: boolean;
  /** True once it has run: it goes back to `exited`, not `created`. */
  started: boolean;
  /** Its removal is under way, and its anonymous volumes go with it. */
  removesVolumes?: boolean;
}

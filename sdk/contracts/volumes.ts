import { capability } from '../plugin/capability';

/** A volume, as other plugins see it: what the driver says, and what the engine keeps about it. */
export interface VolumeSummary {
  readonly name: string;
  readonly driver: string;
  readonly mountpoint: string;
  readonly scope: 'local' | 'global';
  readonly createdAt: Date | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly options: Readonly<Record<string, string>> | undefined;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** The volumes, as other plugins see them. */
export interface VolumeManager {
  /**
   * Creates it, or returns the existing one of that name.
   * @param request.name    empty = anonymous: 64 hex digits and the label `com.docker.volume.anonymous`
   * @param request.driver  empty = the one an existing volume has, else `local`
   * @throws conflict           it exists with another driver
   * @throws not-found          the driver is unknown
   * @throws invalid-parameter  bad name or option
   */
  create(
    request: {
      readonly name: string;
      readonly driver: string;
      readonly options: Readonly<Record<string, string>>;
      readonly labels: Readonly<Record<string, string>>;
    },
    signal?: AbortSignal,
  ): Promise<VolumeSummary>;
  /** @throws not-found `get x: no such volume` */
  get(name: string, signal?: AbortSignal): Promise<VolumeSummary>;
  /** Without force: @throws conflict while a container references it. */
  remove(name: string, options: { readonly force: boolean }, signal?: AbortSignal): Promise<void>;
  /** A container (running or not) refers to the volume: it cannot be removed. Not durable; repeated at boot. */
  reference(name: string, containerId: string): void;
  dereference(name: string, containerId: string): void;
  /** Ids of the containers that refer to it. */
  referencedBy(name: string): readonly string[];
  /** @param mountId 64 hex digits, the same for the matching unmount. @returns absolute host path */
  mount(name: string, mountId: string, signal?: AbortSignal): Promise<string>;
  unmount(name: string, mountId: string): Promise<void>;
  /** After a restart: these mounts are held by containers that kept running; the driver is not asked again (P-VOL-9). */
  adoptMount(name: string, mountId: string): void;
  /**
   * Copies `sourceDir` (content, owner, mode, times, xattrs, links, devices) into the volume when the volume is
   * empty; otherwise does nothing. The volume's root takes owner and mode of `sourceDir`.
   *
   * @param options.subpath  instead of the whole volume a directory in it, relative; nothing happens without one
   */
  populate(
    name: string,
    sourceDir: string,
    options?: { readonly subpath?: string },
    signal?: AbortSignal,
  ): Promise<void>;
}

/** The volume manager; there is one. */
export const Volumes1 = capability<VolumeManager>('volumes/v1');

import { capability } from '../plugin/capability';

/** A volume, as its driver describes it. */
export interface DriverVolume {
  readonly name: string;
  /** Absolute host path; empty while it is not known. */
  readonly mountpoint: string;
  readonly createdAt?: Date;
  /** Free map shown by inspect. */
  readonly status?: Readonly<Record<string, unknown>>;
}

/** How a driver is asked. */
export interface VolumeQuestion {
  /** Every driver is asked: one that is not there is not waited for. */
  readonly ofAll?: boolean;
}

/** Makes and mounts volumes. @see Docker volume plugin protocol, section 4 */
export interface VolumeDriver {
  capabilities(): Promise<{ readonly scope: 'local' | 'global' }>;
  /** @throws invalid-parameter an option is unknown or wrong; nothing was made */
  create(name: string, options: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void>;
  /** @throws not-found; @throws conflict it is mounted */
  remove(name: string, signal?: AbortSignal): Promise<void>;
  /**
   * Provisions on the first id, again for a known id is a no-op.
   * @param id 64 hex digits, fresh per mount point of a container (P-VOL-3)
   * @returns absolute path to bind into the container
   */
  mount(name: string, id: string, signal?: AbortSignal): Promise<string>;
  unmount(name: string, id: string, signal?: AbortSignal): Promise<void>;
  /** Mount point, or empty when it is not known. @throws not-found */
  path(name: string, signal?: AbortSignal): Promise<string>;
  /** @throws not-found */
  get(name: string, signal?: AbortSignal, asking?: VolumeQuestion): Promise<DriverVolume>;
  /** Asked of every driver side by side: one that is not there is not waited for. */
  list(signal?: AbortSignal): Promise<readonly DriverVolume[]>;
}

export const VolumeDriver1 = capability<VolumeDriver>('volume-driver/v1', 'many');

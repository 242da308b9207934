import type { DriverVolume } from '../contracts/volume-driver';
import { field, objectField, stringField } from './fields';

/**
 * How each method behaves on the wire.
 * @property repeatable  a second call with the same arguments does no harm, so a broken connection may be retried
 * @property timeoutMs   deadline of the whole call, retries included (P-CALL-6)
 */
export const volumeDriverMethods = {
  create: { method: 'VolumeDriver.Create', timeoutMs: 120_000, repeatable: false },
  remove: { method: 'VolumeDriver.Remove', timeoutMs: 60_000, repeatable: false },
  mount: { method: 'VolumeDriver.Mount', timeoutMs: 120_000, repeatable: true },
  unmount: { method: 'VolumeDriver.Unmount', timeoutMs: 60_000, repeatable: false },
  path: { method: 'VolumeDriver.Path', timeoutMs: 60_000, repeatable: true },
  get: { method: 'VolumeDriver.Get', timeoutMs: 60_000, repeatable: true },
  list: { method: 'VolumeDriver.List', timeoutMs: 60_000, repeatable: true },
  capabilities: { method: 'VolumeDriver.Capabilities', timeoutMs: 60_000, repeatable: true },
} as const;

/** A volume in the answers to Get and List. */
export interface WireVolume {
  readonly Name: string;
  readonly Mountpoint?: string;
  /** RFC 3339. */
  readonly CreatedAt?: string;
  readonly Status?: Readonly<Record<string, unknown>>;
}

/** The request of Create. `Opts` may be null. */
export interface CreateVolumeBody {
  readonly Name: string;
  readonly Opts: Readonly<Record<string, string>> | null;
}

/** The request of Remove, Path and Get. */
export interface NameBody {
  readonly Name: string;
}

/** @property ID 64 hex digits, the same for a mount and its unmount (P-VOL-3) */
export interface MountVolumeBody extends NameBody {
  readonly ID: string;
}

/** A volume as Get and List answer it. */
export function encodeVolume(volume: DriverVolume): WireVolume {
  return {
    Name: volume.name,
    Mountpoint: volume.mountpoint,
    ...(volume.createdAt === undefined ? {} : { CreatedAt: volume.createdAt.toISOString() }),
    ...(volume.status === undefined ? {} : { Status: volume.status }),
  };
}

/** undefined for null, an empty object and anything else that names no volume (P-VOL-1). */
export function decodeVolume(value: unknown): DriverVolume | undefined {
  const name = stringField(value, 'Name');
  if (name === '') return undefined;
  const createdAt = new Date(stringField(value, 'CreatedAt'));
  const status = objectField(value, 'Status');
  return {
    name,
    mountpoint: stringField(value, 'Mountpoint'),
    ...(Number.isNaN(createdAt.getTime()) ? {} : { createdAt }),
    ...(status === undefined ? {} : { status }),
  };
}

/** Missing, unknown or wrong is `local`; any case is taken (P-VOL-7). */
export function decodeScope(body: unknown): 'local' | 'global' {
  return stringField(field(body, 'Capabilities'), 'Scope').toLowerCase() === 'global' ? 'global' : 'local';
}

import type { VolumeSummary } from '@gantry/sdk';

export interface VolumeUsage {
  /** Bytes, -1 when unknown. */
  readonly sizeBytes: number;
  readonly references: number;
}

/** As clients know it of volumes whose driver does not tell. */
const unknownTime = '0001-01-01T00:00:00Z';

/** A volume as the Engine API shows it. */
export function renderVolume(volume: VolumeSummary, usage?: VolumeUsage): Record<string, unknown> {
  return {
    CreatedAt: volume.createdAt === undefined ? unknownTime : rfc3339(volume.createdAt),
    Driver: volume.driver,
    Labels: volume.labels ?? null,
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: volume.options ?? null,
    Scope: volume.scope,
    ...(volume.status === undefined ? {} : { Status: volume.status }),
    ...(usage === undefined ? {} : { UsageData: { RefCount: usage.references, Size: usage.sizeBytes } }),
  };
}

/** Whole seconds, as clients are used to. */
function rfc3339(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

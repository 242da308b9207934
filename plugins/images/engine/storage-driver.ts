import { join } from 'node:path';
import { type DriverSet, invalidParameter, type Logger, type Snapshotter, type SnapshotterDriver } from '@gantry/sdk';

/**
 * Where everything is that stands on a storage driver's layers: each driver has images of its own, so that another
 * choice hides those of the last one and loses none.
 */
export function storageRoot(stateDir: string, driver: string): string {
  return driver === 'overlay2' ? stateDir : join(stateDir, 'drivers', driver);
}

/** @throws invalid-parameter  nobody provides it */
export async function openSnapshotter(
  name: string,
  root: string,
  bundled: Readonly<Record<string, SnapshotterDriver>>,
  others: DriverSet<SnapshotterDriver>,
  log: Logger,
  options: readonly string[],
): Promise<Snapshotter> {
  const driver = bundled[name] ?? others.get(name);
  if (driver === undefined) {
    const known = [...new Set([...Object.keys(bundled), ...others.names()])].sort().join(', ');
    throw invalidParameter(`storage-driver: driver not supported: ${name}; known are: ${known}`);
  }
  return driver.open(join(root, name), log, options);
}

import type { Cleanup } from '@gantry/sdk';
import type { VolumeStore } from './volume-store';

// By then every container that kept running has claimed its mounts, even with many containers on a slow disk.
const afterMs = 60_000;

/** Once, a while after the start: gives back the mounts that no container claimed. Returns the way to call it off. */
export function collectMountsLater(store: VolumeStore): Cleanup {
  const timer = setTimeout(() => void store.collectUnclaimedMounts(), afterMs);
  timer.unref();
  return () => clearTimeout(timer);
}

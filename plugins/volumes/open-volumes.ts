import { join } from 'node:path';
import type { DriverSet, EventBus, Logger, VolumeDriver } from '@gantry/sdk';
import { MountLedger } from './mount-ledger';
import { VolumeRecords } from './volume-records';
import { VolumeStore } from './volume-store';

/** Opens records and ledger. Records live in `.records`, a name no local volume can have. */
export async function openVolumes(options: {
  stateDir: string;
  runDir: string;
  drivers: DriverSet<VolumeDriver>;
  events: EventBus;
  log: Logger;
}): Promise<VolumeStore> {
  const { drivers, events, log } = options;
  const records = await VolumeRecords.open(join(options.stateDir, '.records'), (path, error) =>
    log.error('cannot read a volume record', { path, error: String(error) }),
  );
  const ledger = await MountLedger.open(join(options.runDir, 'mounts'));
  const store = new VolumeStore({ records, ledger, drivers, events, log });
  await store.forgetCutShort();
  return store;
}

import {
  type DriverSet,
  type DriverVolume,
  EngineError,
  errorKind,
  errorMessage,
  type VolumeDriver,
  type VolumeQuestion,
} from '@gantry/sdk';
import type { SharedPatience } from './shared-patience';

/**
 * The driver of that name.
 * @throws not-found  in dockerd's words: `error looking up volume plugin x: plugin "x" not found`
 */
export async function lookUpDriver(
  drivers: DriverSet<VolumeDriver>,
  name: string,
  signal?: AbortSignal,
): Promise<VolumeDriver> {
  const known = drivers.get(name);
  if (known !== undefined) return known;
  try {
    return await drivers.resolve(name, signal);
  } catch (error) {
    throw new EngineError(errorKind(error), `error looking up volume plugin ${name}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

/** The volume, or undefined when the driver says there is none. Failing to ask is thrown. */
export async function askForVolume(
  driver: VolumeDriver,
  name: string,
  signal?: AbortSignal,
  asking?: VolumeQuestion,
): Promise<DriverVolume | undefined> {
  try {
    return await driver.get(name, signal, asking);
  } catch (error) {
    if (errorKind(error) === 'not-found') return undefined;
    throw error;
  }
}

/**
 * Asks every known driver for a name that has no record (P-VOL-2), side by side; one that does not answer in time
 * counts as not having it. With several the first by driver name wins.
 */
export async function probeDrivers(
  drivers: DriverSet<VolumeDriver>,
  name: string,
  patience: SharedPatience,
  signal?: AbortSignal,
): Promise<{ driver: string; volume: DriverVolume } | undefined> {
  await drivers.discover(signal);
  const answers = await Promise.all(
    drivers.entries().map(async ([driver, instance]) => {
      try {
        const volume = await patience.ask(
          driver,
          `asking volume driver ${driver} for ${name}`,
          (until) => askForVolume(instance, name, until, { ofAll: true }),
          signal,
        );
        return volume === undefined ? undefined : { driver, volume };
      } catch {
        return undefined;
      }
    }),
  );
  return answers.find((answer) => answer !== undefined);
}

export interface DriverListing {
  readonly driver: string;
  readonly scope: 'local' | 'global';
  readonly volumes: readonly DriverVolume[];
}

/** Lists what each driver has, side by side. `names` may hold drivers that are not loaded yet. */
export async function listDrivers(
  drivers: DriverSet<VolumeDriver>,
  names: readonly string[],
  patience: SharedPatience,
  signal?: AbortSignal,
): Promise<{ listings: DriverListing[]; failures: { driver: string; message: string }[] }> {
  const listings: DriverListing[] = [];
  const failures: { driver: string; message: string }[] = [];
  await Promise.all(
    names.map(async (driver) => {
      try {
        const listing = await patience.ask(
          driver,
          `listing volumes of driver ${driver}`,
          async (until) => {
            const instance = await lookUpDriver(drivers, driver, until);
            const [volumes, scope] = await Promise.all([instance.list(until), scopeOf(instance)]);
            return { driver, scope, volumes };
          },
          signal,
        );
        listings.push(listing);
      } catch (error) {
        failures.push({ driver, message: `list ${driver}: ${errorMessage(error)}` });
      }
    }),
  );
  return { listings, failures };
}

/** A driver that cannot tell its scope is local (P-VOL-7). */
export async function scopeOf(driver: VolumeDriver): Promise<'local' | 'global'> {
  try {
    return (await driver.capabilities()).scope === 'global' ? 'global' : 'local';
  } catch {
    return 'local';
  }
}

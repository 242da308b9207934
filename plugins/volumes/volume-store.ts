import { randomBytes } from 'node:crypto';
import {
  type ApiSubject,
  conflict,
  type DriverSet,
  type DriverVolume,
  EngineError,
  type EventBus,
  errorKind,
  errorMessage,
  KeyedLock,
  type Logger,
  notFound,
  systemError,
  type VolumeDriver,
  type VolumeManager,
  type VolumeSummary,
} from '@gantry/sdk';
import { askForVolume, type DriverListing, listDrivers, lookUpDriver, probeDrivers, scopeOf } from './driver-lookup';
import type { MountLedger } from './mount-ledger';
import { fillVolume, insideVolume } from './populate';
import { SharedPatience } from './shared-patience';
import { VolumeMounts } from './volume-mounts';
import type { VolumeRecord, VolumeRecords } from './volume-records';

export const defaultDriver = 'local';
export const anonymousLabel = 'com.docker.volume.anonymous';

type CreateRequest = Parameters<VolumeManager['create']>[0];

export interface VolumeStoreDeps {
  readonly records: VolumeRecords;
  readonly ledger: MountLedger;
  readonly drivers: DriverSet<VolumeDriver>;
  readonly events: EventBus;
  readonly log: Logger;
}

/** The volume manager: records of our own, everything else asked of the drivers. */
export class VolumeStore implements VolumeManager {
  private readonly locks = new KeyedLock();
  private readonly mounts: VolumeMounts;
  private readonly patience = new SharedPatience();
  private readonly references = new Map<string, Set<string>>();

  constructor(private readonly deps: VolumeStoreDeps) {
    const { ledger, log, records, drivers } = deps;
    this.mounts = new VolumeMounts({
      ledger,
      locks: this.locks,
      log,
      driverOf: (name, signal) => this.driverOf(name, 'mount', signal),
      recordedDriver: async (name) => {
        const record = records.get(name);
        return record && lookUpDriver(drivers, record.driver);
      },
    });
  }

  async create(request: CreateRequest, signal?: AbortSignal): Promise<VolumeSummary> {
    const anonymous = request.name === '';
    const name = anonymous ? randomBytes(32).toString('hex') : request.name;
    const labels = anonymous ? { ...request.labels, [anonymousLabel]: '' } : request.labels;
    const driver = anonymous && request.driver === '' ? defaultDriver : request.driver;
    return this.locks.run(
      name,
      () => naming('create', name, this.createLocked({ ...request, name, labels, driver }, signal)),
      signal,
    );
  }

  async get(name: string, signal?: AbortSignal): Promise<VolumeSummary> {
    return this.locks.run(name, () => naming('get', name, this.find(name, signal)), signal);
  }

  /** What a request for this name is about, as far as it is on record: no driver is asked. */
  requestSubject(name: string | undefined): ApiSubject | undefined {
    const record = name === undefined ? undefined : this.deps.records.get(name);
    return record && { kind: 'volume', id: record.name, name: record.name, labels: record.labels ?? {} };
  }

  /** Everything all drivers have. A driver that cannot be asked gives a warning, and its volumes are listed from records. */
  async list(signal?: AbortSignal): Promise<{ volumes: VolumeSummary[]; warnings: string[] }> {
    const { records, drivers } = this.deps;
    await drivers.discover(signal);
    const names = new Set([...drivers.names(), ...records.all().map((record) => record.driver)]);
    const { listings, failures } = await listDrivers(drivers, [...names], this.patience, signal);
    const volumes = new Map<string, VolumeSummary>();
    for (const { driver, scope, volumes: found } of listings.sort((a, b) => (a.driver < b.driver ? -1 : 1)))
      for (const volume of found) {
        const record = records.get(volume.name);
        if (record !== undefined && record.driver !== driver) continue;
        if (!volumes.has(volume.name))
          volumes.set(volume.name, summary({ ...record, name: volume.name, driver }, volume, scope));
      }
    // Aside: whoever lists does not wait for it.
    void this.forgetGone(listings);
    const silent = new Set(failures.map((failure) => failure.driver));
    for (const record of records.all())
      if (silent.has(record.driver))
        volumes.set(record.name, summary(record, { name: record.name, mountpoint: '' }, 'local'));
    const sorted = [...volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { volumes: sorted, warnings: failures.map((failure) => failure.message).sort() };
  }

  /** At a start: records of volumes whose removal was cut short after the driver's part of it. */
  async forgetCutShort(): Promise<void> {
    const { listings } = await listDrivers(this.deps.drivers, [defaultDriver], this.patience);
    await this.forgetGone(listings);
  }

  /** Drops records that a driver which lists its volumes does not know, once it has said so itself. */
  private async forgetGone(listings: readonly DriverListing[]): Promise<void> {
    for (const { driver, volumes } of listings) {
      const present = new Set(volumes.map(({ name }) => name));
      const missing = this.deps.records.all().filter((record) => record.driver === driver && !present.has(record.name));
      for (const { name } of missing) await this.locks.run(name, () => this.find(name).catch(() => undefined));
    }
  }

  async remove(name: string, options: { readonly force: boolean }, signal?: AbortSignal): Promise<void> {
    await this.locks.run(name, () => this.removeLocked(name, options.force, signal), signal);
  }

  reference(name: string, containerId: string): void {
    const holders = this.references.get(name);
    if (holders === undefined) this.references.set(name, new Set([containerId]));
    else holders.add(containerId);
  }

  dereference(name: string, containerId: string): void {
    const holders = this.references.get(name);
    if (holders?.delete(containerId) && holders.size === 0) this.references.delete(name);
  }

  referencedBy(name: string): readonly string[] {
    return [...(this.references.get(name) ?? [])];
  }

  mount(name: string, mountId: string, signal?: AbortSignal): Promise<string> {
    return this.mounts.mount(name, mountId, signal);
  }

  unmount(name: string, mountId: string): Promise<void> {
    return this.mounts.unmount(name, mountId);
  }

  adoptMount(name: string, mountId: string): void {
    void name;
    this.deps.ledger.claim(mountId);
  }

  /** Gives back the mounts of an earlier daemon that no container claimed. */
  collectUnclaimedMounts(): Promise<void> {
    return this.mounts.collectUnclaimed();
  }

  async populate(
    name: string,
    sourceDir: string,
    { subpath = '' }: { readonly subpath?: string } = {},
    signal?: AbortSignal,
  ): Promise<void> {
    const mountId = randomBytes(32).toString('hex');
    // One copy at a time per volume, but not under the volume's own lock: others may look at it meanwhile.
    await this.locks.run(
      `populate\0${name}`,
      async () => {
        const target = await this.mount(name, mountId, signal);
        try {
          const before = this.deps.records.get(name);
          if (before === undefined) throw notFound(`populate ${name}: no such volume`);
          const part = subpath === '' ? true : subpath;
          const note = (running: boolean) => this.patchRecord(name, { populating: running ? part : undefined });
          const progress = { begun: before.populating === part, note };
          await insideVolume(target, subpath, (place) => fillVolume(sourceDir, place, progress, signal));
        } catch (error) {
          if (error instanceof EngineError && error.kind !== 'system') throw error;
          throw systemError(`cannot copy ${sourceDir} into volume ${name}: ${errorMessage(error)}`, error);
        } finally {
          await this.unmount(name, mountId);
        }
      },
      signal,
    );
  }

  /** For those who ask whether a driver is needed. */
  usersOf(isMeant: (driver: string) => boolean): string[] {
    const { records } = this.deps;
    return records
      .all()
      .filter(({ driver }) => isMeant(driver))
      .map(({ name }) => `volume ${name}`);
  }

  private async createLocked(request: CreateRequest, signal?: AbortSignal): Promise<VolumeSummary> {
    const { drivers, records } = this.deps;
    const existing = await this.checkConflict(request, signal);
    if (existing !== undefined) return existing;
    if (request.driver === '') {
      const found = await this.adoptFromDrivers(request.name, signal);
      if (found !== undefined) return found;
    }
    const driverName = request.driver === '' ? defaultDriver : request.driver;
    const driver = await lookUpDriver(drivers, driverName, signal);
    // With the tag it may have been asked for without.
    const knownAs = drivers.nameOf(driverName);
    // A driver that already has it keeps it; why Get failed does not matter, Create will tell (P-VOL-1).
    let volume = await askForVolume(driver, request.name, signal).catch(() => undefined);
    if (volume === undefined) {
      await driver.create(request.name, request.options, signal);
      volume = await askForVolume(driver, request.name, signal).catch(() => undefined);
    }
    const record: VolumeRecord = {
      name: request.name,
      driver: knownAs,
      labels: unlessEmpty(request.labels),
      options: unlessEmpty(request.options),
    };
    await records.put(record);
    this.emit('create', record);
    return summary(record, volume ?? { name: record.name, mountpoint: '' }, await scopeOf(driver));
  }

  /** The existing volume when there is one, undefined when the name is free. */
  private async checkConflict(request: CreateRequest, signal?: AbortSignal): Promise<VolumeSummary | undefined> {
    const { name } = request;
    const record = this.deps.records.get(name);
    if (record === undefined) return undefined;
    if (request.driver !== '' && request.driver !== record.driver)
      await lookUpDriver(this.deps.drivers, request.driver, signal);
    let driver: VolumeDriver;
    let volume: DriverVolume | undefined;
    try {
      driver = await lookUpDriver(this.deps.drivers, record.driver, signal);
      volume = await askForVolume(driver, name, signal);
    } catch (error) {
      throw conflict(
        `found reference to volume '${name}' in driver '${record.driver}', but got an error while checking the driver: ${errorMessage(error)}: volume name must be unique`,
        error,
      );
    }
    if (volume !== undefined) {
      if (request.driver !== '' && request.driver !== record.driver)
        throw conflict(`driver '${record.driver}' already has volume '${name}': volume name must be unique`);
      return summary(record, volume, await scopeOf(driver));
    }
    if (this.referencedBy(name).length > 0)
      throw conflict(
        `found references to volume '${name}' in driver '${record.driver}' but the volume was not found in the driver -- you may need to remove containers referencing this volume or force remove the volume to re-create it: volume name must be unique`,
      );
    await this.deps.records.delete(name);
    return undefined;
  }

  private async find(name: string, signal?: AbortSignal): Promise<VolumeSummary> {
    const record = this.deps.records.get(name);
    if (record === undefined) {
      const found = await this.adoptFromDrivers(name, signal);
      if (found === undefined) throw notFound('no such volume');
      return found;
    }
    let driver: VolumeDriver;
    let volume: DriverVolume | undefined;
    try {
      driver = await lookUpDriver(this.deps.drivers, record.driver, signal);
      volume = await askForVolume(driver, name, signal);
    } catch (error) {
      throw new EngineError(
        // Not "not found": the volume may well exist, only its driver is missing.
        errorKind(error) === 'not-found' ? 'system' : errorKind(error),
        `error while checking if volume "${name}" exists in driver "${record.driver}": ${errorMessage(error)}`,
        { cause: error },
      );
    }
    if (volume === undefined) {
      if (this.referencedBy(name).length === 0) await this.deps.records.delete(name);
      throw notFound('no such volume');
    }
    return summary(record, volume, await scopeOf(driver));
  }

  /** Takes in a volume that a driver has and we have no record of. */
  private async adoptFromDrivers(name: string, signal?: AbortSignal): Promise<VolumeSummary | undefined> {
    const found = await probeDrivers(this.deps.drivers, name, this.patience, signal);
    if (found === undefined) return undefined;
    const record: VolumeRecord = { name, driver: found.driver };
    await this.deps.records.put(record);
    const driver = this.deps.drivers.get(found.driver);
    return summary(record, found.volume, driver === undefined ? 'local' : await scopeOf(driver));
  }

  private async removeLocked(name: string, force: boolean, signal?: AbortSignal): Promise<void> {
    const { records, drivers } = this.deps;
    const holders = this.referencedBy(name);
    const inUse = () => conflict(`remove ${name}: volume is in use - [${holders.join(', ')}]`);
    if (force && holders.length > 0) throw inUse();
    try {
      await naming('get', name, this.find(name, signal));
    } catch (error) {
      // By force the record goes even when its driver is gone (P-VOL-10).
      if (!force || errorKind(error) === 'cancelled') throw error;
      const orphan = records.get(name);
      await records.delete(name);
      if (orphan !== undefined) this.emit('destroy', orphan);
      return;
    }
    if (holders.length > 0) throw inUse();
    const record = records.get(name) ?? { name, driver: defaultDriver };
    const driver = await lookUpDriver(drivers, record.driver, signal);
    // No container refers to it: what is still mounted was mounted by a daemon that died.
    await this.mounts.giveBackUnclaimed(name, driver);
    try {
      await driver.remove(name, signal);
    } catch (error) {
      const gone =
        errorKind(error) === 'not-found' || (force && ['unavailable', 'deadline'].includes(errorKind(error)));
      if (!gone) throw new EngineError(errorKind(error), `remove ${name}: ${errorMessage(error)}`, { cause: error });
    }
    await records.delete(name);
    this.emit('destroy', record);
  }

  private async driverOf(name: string, action: string, signal?: AbortSignal): Promise<VolumeDriver> {
    if (this.deps.records.get(name) === undefined) await naming(action, name, this.find(name, signal));
    const record = this.deps.records.get(name);
    if (record === undefined) throw notFound(`${action} ${name}: no such volume`);
    return lookUpDriver(this.deps.drivers, record.driver, signal);
  }

  private async patchRecord(name: string, change: Partial<VolumeRecord>): Promise<void> {
    await this.locks.run(name, async () => {
      const record = this.deps.records.get(name);
      if (record !== undefined) await this.deps.records.put({ ...record, ...change });
    });
  }

  private emit(action: string, record: VolumeRecord): void {
    this.deps.events.publish({
      type: 'volume',
      action,
      actor: { id: record.name, attributes: { driver: record.driver } },
    });
  }
}

function summary(record: VolumeRecord, volume: DriverVolume, scope: 'local' | 'global'): VolumeSummary {
  return {
    name: record.name,
    driver: record.driver,
    mountpoint: volume.mountpoint,
    scope,
    createdAt: volume.createdAt,
    labels: record.labels,
    options: record.options,
    ...(volume.status === undefined ? {} : { status: volume.status }),
  };
}

/** Puts operation and name in front of a failure's message: `get data: no such volume`. */
async function naming<T>(operation: string, name: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new EngineError(errorKind(error), `${operation} ${name}: ${errorMessage(error)}`, { cause: error });
  }
}

function unlessEmpty(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  return Object.keys(map).length === 0 ? undefined : map;
}

import { EngineError, errorKind, errorMessage, type KeyedLock, type Logger, type VolumeDriver } from '@gantry/sdk';
import { LateReturns } from './late-returns';
import type { MountLedger } from './mount-ledger';

export interface VolumeMountsDeps {
  readonly ledger: MountLedger;
  /** One queue per volume name. */
  readonly locks: KeyedLock;
  readonly log: Logger;
  /** The driver of an existing volume. @throws not-found */
  driverOf(volume: string, signal?: AbortSignal): Promise<VolumeDriver>;
  /** The driver of a volume, or undefined when it was removed by force meanwhile. */
  recordedDriver(volume: string): Promise<VolumeDriver | undefined>;
}

/** Every use of a volume: asked of its driver once, and given back once, whoever dies in between. */
export class VolumeMounts {
  private readonly lateReturns: LateReturns;

  constructor(private readonly deps: VolumeMountsDeps) {
    this.lateReturns = new LateReturns((name, mountId) => this.giveBack(name, mountId), deps.log);
  }

  /** @throws as the driver, with the place of the volume in the message */
  async mount(name: string, mountId: string, signal?: AbortSignal): Promise<string> {
    const { ledger, locks } = this.deps;
    return locks.run(
      name,
      async () => {
        const driver = await this.deps.driverOf(name, signal);
        await ledger.add(mountId, name);
        try {
          const path = await driver.mount(name, mountId, signal);
          this.lateReturns.forget(mountId);
          return path;
        } catch (error) {
          // Without an answer the driver may have mounted it: give it back rather than leave it.
          if (errorKind(error) === 'deadline' || errorKind(error) === 'cancelled')
            await driver.unmount(name, mountId).catch(() => undefined);
          await ledger.remove(mountId);
          const place = (await driver.path(name).catch(() => '')) || name;
          throw new EngineError(errorKind(error), `error while mounting volume '${place}': ${errorMessage(error)}`, {
            cause: error,
          });
        }
      },
      signal,
    );
  }

  async unmount(name: string, mountId: string): Promise<void> {
    try {
      await this.giveBack(name, mountId);
    } catch (error) {
      this.lateReturns.add(name, mountId, error);
      throw error;
    }
  }

  /** Gives back the mounts of an earlier daemon that no container claimed. */
  async collectUnclaimed(): Promise<void> {
    const { ledger, log } = this.deps;
    for (const { volume, mountId } of ledger.unclaimed())
      try {
        await this.unmount(volume, mountId);
        log.info('gave back a mount that belonged to no container', { volume, mountId });
      } catch (error) {
        log.warn('cannot give back a mount', { volume, mountId, error: errorMessage(error) });
      }
  }

  /** The same for one volume, whose lock the caller holds. */
  async giveBackUnclaimed(name: string, driver: VolumeDriver): Promise<void> {
    const { ledger } = this.deps;
    for (const { mountId, volume } of ledger.unclaimed()) {
      if (volume !== name) continue;
      await driver.unmount(name, mountId);
      await ledger.remove(mountId);
    }
  }

  private async giveBack(name: string, mountId: string): Promise<void> {
    const { ledger, locks } = this.deps;
    await locks.run(name, async () => {
      await (await this.deps.recordedDriver(name))?.unmount(name, mountId);
      await ledger.remove(mountId);
    });
  }
}

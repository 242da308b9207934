import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import {
  conflict,
  type DriverVolume,
  errorMessage,
  invalidParameter,
  KeyedLock,
  type Logger,
  notFound,
  type VolumeDriver,
} from '@gantry/sdk';
import { HeldMounts } from './held-mounts';
import { mountPoints } from './mount-table';
import {
  dataName,
  destroyVolume,
  type FoundVolume,
  makeVolume,
  namePattern,
  removeTree,
  scanVolumes,
} from './volume-directories';
import { mountVolume, unmountVolume } from './volume-mount';
import { parseVolumeOptions } from './volume-options';
import { VolumeQuota } from './volume-quota';

export interface LocalVolumesOptions {
  /** Absolute path; made when it is missing. */
  readonly root: string;
  /** Where mount ids are kept; emptied by a reboot, as the mounts are. */
  readonly runDir: string;
  readonly log: Logger;
}

/** Opens the volumes below a directory: finds what is there, and collects what was cut short. */
export async function openLocalVolumes(options: LocalVolumesOptions): Promise<VolumeDriver> {
  const { log } = options;
  await mkdir(options.root, { recursive: true, mode: 0o701 });
  const root = await realpath(options.root);
  const held = await HeldMounts.open(join(options.runDir, 'held'));
  const { volumes, leftovers } = await scanVolumes(root, (name, error) =>
    log.error('cannot read a volume', { volume: name, error: errorMessage(error) }),
  );
  const quota = VolumeQuota.open(root);
  for (const path of leftovers) {
    const lift = quota.hold(join(path, dataName));
    removeTree(path)
      .then(lift)
      .catch((error) => log.warn('cannot remove a leftover', { path, error: errorMessage(error) }));
  }
  const driver = new LocalVolumes(root, new Map(volumes.map((volume) => [volume.name, volume])), held, quota, log);
  await driver.restoreMounts();
  return driver;
}

class LocalVolumes implements VolumeDriver {
  private readonly locks = new KeyedLock();
  private readonly mounted = new Set<string>();

  constructor(
    private readonly root: string,
    private readonly volumes: Map<string, FoundVolume>,
    private readonly held: HeldMounts,
    private readonly quota: VolumeQuota,
    private readonly log: Logger,
  ) {}

  /** After a restart: what is mounted and held stays, what is mounted for nobody goes, ids without a mount go. */
  async restoreMounts(): Promise<void> {
    const points = await mountPoints();
    for (const [name, { mount }] of this.volumes) {
      if (mount === undefined || !points.has(this.pathOf(name))) continue;
      if (this.held.count(name) > 0) this.mounted.add(name);
      else
        await unmountVolume(mount, this.pathOf(name)).catch((error) => {
          this.mounted.add(name);
          this.log.warn('cannot unmount a volume that nobody uses', { volume: name, error: errorMessage(error) });
        });
    }
    for (const name of this.held.volumes()) if (!this.mounted.has(name)) await this.held.forget(name);
  }

  async capabilities(): Promise<{ readonly scope: 'local' }> {
    return { scope: 'local' };
  }

  async create(name: string, options: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<void> {
    assertName(name);
    const parsed = parseVolumeOptions(options, () => this.quota.assertSupported());
    await this.locks.run(
      name,
      async () => {
        if (this.volumes.has(name)) return;
        const createdAt = await makeVolume(this.root, name, parsed, (data) => {
          if (parsed.sizeBytes > 0) this.quota.limit(data, parsed.sizeBytes);
        });
        this.volumes.set(name, { name, createdAt, ...parsed });
      },
      signal,
    );
  }

  async remove(name: string, signal?: AbortSignal): Promise<void> {
    await this.locks.run(
      name,
      async () => {
        const volume = this.find(name);
        if (this.held.count(name) > 0) throw conflict(`volume ${name} has active mounts`);
        if (this.mounted.has(name)) await this.release(volume);
        const lift = volume.sizeBytes > 0 ? this.quota.hold(this.pathOf(name)) : undefined;
        await destroyVolume(this.root, name);
        lift?.();
        this.volumes.delete(name);
      },
      signal,
    );
  }

  async mount(name: string, id: string, signal?: AbortSignal): Promise<string> {
    return this.locks.run(
      name,
      async () => {
        const { mount } = this.find(name);
        const path = this.pathOf(name);
        if (this.held.has(name, id)) return path;
        // Noted first: a mount that outlives a crash always has its id.
        await this.held.add(name, id, mount !== undefined);
        if (mount === undefined || this.mounted.has(name)) return path;
        try {
          await mountVolume(mount, path, signal);
        } catch (error) {
          await this.held.delete(name, id, true);
          throw error;
        }
        this.mounted.add(name);
        return path;
      },
      signal,
    );
  }

  async unmount(name: string, id: string, signal?: AbortSignal): Promise<void> {
    await this.locks.run(
      name,
      async () => {
        const volume = this.find(name);
        const others = this.held.count(name) - (this.held.has(name, id) ? 1 : 0);
        // Unmounted before the id is forgotten: when it fails, the caller may try again.
        if (others === 0 && this.mounted.has(name)) await this.release(volume);
        await this.held.delete(name, id, volume.mount !== undefined);
      },
      signal,
    );
  }

  async path(name: string): Promise<string> {
    this.find(name);
    return this.pathOf(name);
  }

  async get(name: string): Promise<DriverVolume> {
    return this.describe(this.find(name));
  }

  async list(): Promise<readonly DriverVolume[]> {
    return [...this.volumes.values()].map((volume) => this.describe(volume));
  }

  private async release(volume: FoundVolume): Promise<void> {
    if (volume.mount !== undefined) await unmountVolume(volume.mount, this.pathOf(volume.name));
    this.mounted.delete(volume.name);
  }

  private find(name: string): FoundVolume {
    const volume = this.volumes.get(name);
    if (volume === undefined) throw notFound(`no such volume: ${name}`);
    return volume;
  }

  private describe(volume: FoundVolume): DriverVolume {
    return { name: volume.name, mountpoint: this.pathOf(volume.name), createdAt: volume.createdAt };
  }

  private pathOf(name: string): string {
    return join(this.root, name, dataName);
  }
}

function assertName(name: string): void {
  if (name.length === 1)
    throw invalidParameter('volume name is too short, names should be at least two alphanumeric characters');
  if (!namePattern.test(name))
    throw invalidParameter(
      `"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
}

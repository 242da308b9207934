import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface LedgerEntry {
  readonly mountId: string;
  readonly volume: string;
}

/**
 * Which mounts drivers hold for us, kept over a restart of the daemon but not of the machine. What no container
 * claims after a restart belongs to nobody and is given back.
 */
export class MountLedger {
  private constructor(
    private readonly directory: string,
    private readonly unclaimedById: Map<string, LedgerEntry>,
  ) {}

  static async open(directory: string): Promise<MountLedger> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const unclaimed = new Map<string, LedgerEntry>();
    for (const mountId of await readdir(directory)) {
      const volume = await readFile(join(directory, mountId), 'utf8');
      if (volume === '') await rm(join(directory, mountId));
      else unclaimed.set(mountId, { mountId, volume });
    }
    return new MountLedger(directory, unclaimed);
  }

  /** Written before the driver is asked, so that no mount goes unnoticed. */
  async add(mountId: string, volume: string): Promise<void> {
    this.unclaimedById.delete(mountId);
    await writeFile(join(this.directory, safeId(mountId)), volume, { mode: 0o600 });
  }

  claim(mountId: string): void {
    this.unclaimedById.delete(mountId);
  }

  async remove(mountId: string): Promise<void> {
    this.unclaimedById.delete(mountId);
    await rm(join(this.directory, safeId(mountId)), { force: true });
  }

  /** Mounts of an earlier daemon that nobody claimed. */
  unclaimed(): LedgerEntry[] {
    return [...this.unclaimedById.values()];
  }
}

function safeId(mountId: string): string {
  return mountId.replaceAll(/[^A-Za-z0-9_-]/g, '_');
}

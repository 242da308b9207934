import { invalidParameter } from '@gantry/sdk';
import { hasProjectQuota, holdLimit, limitDirectory } from '@gantry/sdk/linux/project-quota';

/** Keeps volumes that are plain directories to a size, by a project each, where the file system can. */
export class VolumeQuota {
  private constructor(
    private readonly root: string,
    private readonly supported: boolean,
  ) {}

  static open(root: string): VolumeQuota {
    return new VolumeQuota(root, hasProjectQuota(root));
  }

  /** @throws invalid-parameter  in dockerd's words: the file system below the volumes has no project quota */
  assertSupported(): void {
    if (!this.supported) throw invalidParameter('quota size requested but no quota support');
  }

  /** Limits an empty data directory. */
  limit(directory: string, sizeBytes: number): void {
    this.assertSupported();
    limitDirectory(directory, sizeBytes);
  }

  /** @returns what frees the number of a limited directory, to be called once it is gone */
  hold(directory: string): () => void {
    return this.supported ? holdLimit(directory, this.root) : () => {};
  }
}

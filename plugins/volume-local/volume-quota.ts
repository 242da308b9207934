import { invalidParameter } from '@gantry/sdk';
import { hasProjectQuota, limitProject, projectOf, setProject } from '@gantry/sdk/linux/project-quota';

/** Keeps volumes that are plain directories to a size, by a project each, where the file system can. */
export class VolumeQuota {
  private constructor(
    private readonly root: string,
    private next: number | undefined,
  ) {}

  /** @param limited  data directories of the volumes that have a limit already */
  static open(root: string, limited: readonly string[]): VolumeQuota {
    if (!hasProjectQuota(root)) return new VolumeQuota(root, undefined);
    // Beside the project of the root itself, as dockerd counts them.
    return new VolumeQuota(root, Math.max(projectOf(root), ...limited.map(projectOf)) + 1);
  }

  /** @throws invalid-parameter  in dockerd's words: the file system below the volumes has no project quota */
  assertSupported(): void {
    if (this.next === undefined) throw invalidParameter('quota size requested but no quota support');
  }

  /** Limits an empty data directory. */
  limit(directory: string, sizeBytes: number): void {
    this.assertSupported();
    const project = this.next ?? 0;
    this.next = project + 1;
    limitProject(this.root, project, sizeBytes);
    setProject(directory, project);
  }

  /** @returns what frees the number of a limited directory, to be called once it is gone */
  hold(directory: string): () => void {
    if (this.next === undefined) return () => {};
    const project = projectOf(directory);
    return () => limitProject(this.root, project, 0);
  }
}

import { join } from 'node:path';

/** Paths below a driver's folder. `id` is a chainID's hex digits for a layer, a container id for a writable one. */
export class SnapshotLayout {
  readonly staging: string;
  readonly trash: string;
  readonly init: string;

  constructor(readonly root: string) {
    this.staging = join(root, 'staging');
    this.trash = join(root, 'trash');
    this.init = join(root, 'init');
  }

  directory(id: string): string {
    return join(this.root, id);
  }

  /** A layer's own files. */
  diff(id: string): string {
    return join(this.root, id, 'diff');
  }

  layerRecord(id: string): string {
    return join(this.root, id, 'layer.json');
  }

  writableRecord(id: string): string {
    return join(this.root, id, 'writable.json');
  }
}

/** `sha256:abc…` → `abc…` */
export function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1);
}

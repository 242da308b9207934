import { join } from 'node:path';

/** Paths below the driver's folder. `id` is a chainID's hex digits for a layer, a container id for a writable one. */
export class OverlayLayout {
  readonly links: string;
  readonly staging: string;
  readonly trash: string;
  readonly init: string;

  constructor(readonly root: string) {
    this.links = join(root, 'l');
    this.staging = join(root, 'staging');
    this.trash = join(root, 'trash');
    this.init = join(root, 'init');
  }

  directory(id: string): string {
    return join(this.root, id);
  }

  diff(id: string): string {
    return join(this.root, id, 'diff');
  }

  work(id: string): string {
    return join(this.root, id, 'work');
  }

  merged(id: string): string {
    return join(this.root, id, 'merged');
  }

  layerRecord(id: string): string {
    return join(this.root, id, 'layer.json');
  }

  writableRecord(id: string): string {
    return join(this.root, id, 'writable.json');
  }

  link(link: string): string {
    return join(this.links, link);
  }
}

/** `sha256:abc…` → `abc…` */
export function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1);
}

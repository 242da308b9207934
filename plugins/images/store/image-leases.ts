import type { ImageLease } from '@gantry/sdk';

/** Who needs which images for a while. Counted in memory: a daemon that ends takes its leases with it. */
export class ImageLeases {
  private readonly counts = new Map<string, number>();

  has(imageId: string): boolean {
    return this.counts.has(imageId);
  }

  /** @param exists whether an image is there to be held */
  open(exists: (imageId: string) => boolean): ImageLease {
    const held = new Set<string>();
    return {
      hold: (imageId) => {
        if (!exists(imageId)) return false;
        if (!held.has(imageId)) this.counts.set(imageId, (this.counts.get(imageId) ?? 0) + 1);
        held.add(imageId);
        return true;
      },
      end: () => {
        for (const imageId of held) {
          const left = (this.counts.get(imageId) ?? 1) - 1;
          if (left > 0) this.counts.set(imageId, left);
          else this.counts.delete(imageId);
        }
        held.clear();
      },
    };
  }
}

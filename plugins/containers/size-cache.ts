import type { EventBus, ImageManager } from '@gantry/sdk';
import type { Container } from './run/container';

interface Sizes {
  readonly sizeRw: number;
  readonly sizeRootFs: number;
}

/** After these the writable layer of a container may have another size. */
const changing: ReadonlySet<string> = new Set(['start', 'extract-to-dir', 'destroy']);

/**
 * Sizes of root filesystems. What a container that does not run has written stays as it is until it is started or
 * copied into, so that it is counted once; one that runs is counted anew.
 */
export class SizeCache {
  private readonly known = new Map<string, Sizes>();
  /** Counts changes, so that a walk that saw one is not kept. */
  private readonly changes = new Map<string, number>();

  constructor(
    events: EventBus,
    private readonly images: Pick<ImageManager, 'rootFilesystemSize'>,
  ) {
    events.subscribe(({ type, action, actor }) => {
      if (type !== 'container' || !changing.has(action)) return;
      this.known.delete(actor.id);
      if (action === 'destroy') this.changes.delete(actor.id);
      else this.changes.set(actor.id, (this.changes.get(actor.id) ?? 0) + 1);
    });
  }

  async sizeOf(container: Pick<Container, 'id' | 'state'>): Promise<Sizes> {
    const known = this.known.get(container.id);
    if (known !== undefined) return known;
    const isStill = () => container.state.status === 'created' || container.state.status === 'exited';
    const wasStill = isStill();
    const change = this.changes.get(container.id);
    const sizes = await this.images.rootFilesystemSize(container.id);
    if (wasStill && isStill() && this.changes.get(container.id) === change) this.known.set(container.id, sizes);
    return sizes;
  }
}

import { conflict, invalidParameter, notFound } from '@gantry/sdk';
import type { Container } from '../run/container';

/** All containers in memory, found by id, id prefix or name. */
export class ContainerIndex {
  private readonly byId = new Map<string, Container>();
  /** Name → id; also names reserved by creations under way. */
  private readonly byName = new Map<string, string>();
  /** Image id → the containers made from it or mounting it. */
  private readonly byImage = new Map<string, Set<Container>>();

  /** Newest first. */
  all(): Container[] {
    return [...this.byId.values()].reverse();
  }

  get size(): number {
    return this.byId.size;
  }

  /** Containers made from an image or mounting it. */
  usersOf(imageId: string): Container[] {
    return [...(this.byImage.get(imageId) ?? [])];
  }

  find(reference: string): Container | undefined {
    const exact = this.byId.get(reference) ?? this.named(reference);
    if (exact !== undefined) return exact;
    if (!/^[0-9a-f]+$/.test(reference)) return undefined;
    let found: Container | undefined;
    for (const [id, container] of this.byId) {
      if (!id.startsWith(reference)) continue;
      if (found !== undefined) throw invalidParameter(`multiple IDs found with provided prefix: ${reference}`);
      found = container;
    }
    return found;
  }

  /** @param reference full id, unique id prefix, or name. @throws not-found */
  get(reference: string): Container {
    const found = reference === '' ? undefined : this.find(reference);
    if (found === undefined) throw notFound(`No such container: ${reference}`);
    return found;
  }

  isNameTaken(name: string): boolean {
    return this.byName.has(name);
  }

  /** @throws conflict  naming the container that has the name */
  reserveName(name: string, id: string): void {
    const holder = this.byName.get(name);
    if (holder !== undefined && holder !== id)
      throw conflict(
        `Conflict. The container name "/${name}" is already in use by container "${holder}". ` +
          'You have to remove (or rename) that container to be able to reuse that name.',
      );
    this.byName.set(name, id);
  }

  releaseName(name: string, id: string): void {
    if (this.byName.get(name) === id) this.byName.delete(name);
  }

  add(container: Container): void {
    this.byId.set(container.id, container);
    this.byName.set(container.record.name, container.id);
    for (const imageId of imagesOf(container)) {
      const users = this.byImage.get(imageId);
      if (users === undefined) this.byImage.set(imageId, new Set([container]));
      else users.add(container);
    }
  }

  remove(container: Container): void {
    this.byId.delete(container.id);
    this.releaseName(container.record.name, container.id);
    for (const imageId of imagesOf(container)) {
      const users = this.byImage.get(imageId);
      users?.delete(container);
      if (users?.size === 0) this.byImage.delete(imageId);
    }
  }

  private named(reference: string): Container | undefined {
    const id = this.byName.get(reference.startsWith('/') ? reference.slice(1) : reference);
    return id === undefined ? undefined : this.byId.get(id);
  }
}

/** Neither changes while a container exists. */
function imagesOf({ record }: Container): string[] {
  return [record.imageId, ...record.mounts.map(({ imageId }) => imageId)].filter((id) => id !== undefined);
}

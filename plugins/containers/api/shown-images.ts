import type { Engine } from '../engine';
import type { Container } from '../run/container';

/**
 * What a list shows as a container's image: the name it was made with, as long as that name means its image; else
 * the image's id.
 */
export async function shownImages(
  containers: readonly Container[],
  engine: Pick<Engine, 'images'>,
): Promise<(container: Container) => string> {
  const names = new Set(containers.map(({ record }) => record.config.Image));
  const idOf = new Map<string, string>();
  await Promise.all(
    [...names].map(async (name) => {
      const image = await engine.images.resolve(name).catch(() => undefined);
      if (image) idOf.set(name, image.id);
    }),
  );
  return ({ record }) => (idOf.get(record.config.Image) === record.imageId ? record.config.Image : record.imageId);
}

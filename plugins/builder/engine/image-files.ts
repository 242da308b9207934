import { randomBytes } from 'node:crypto';
import type { CopyItem } from '../copy/select-files';
import type { Builder } from './builder';

/** The files of an image, readable until it is closed. */
export interface ImageFiles {
  /** The root first; directories before what is in them. */
  readonly items: readonly CopyItem[];
  close(): Promise<void>;
}

/** Opens the files of an image. */
export async function openImageFiles(imageId: string, { images, files }: Builder): Promise<ImageFiles> {
  const id = randomBytes(32).toString('hex');
  const root = await images.createRootFilesystem(id, imageId, { bare: true });
  const close = () => images.removeRootFilesystem(id);
  try {
    const [found] = await files.list(await root.mount());
    return { items: found?.items ?? [], close };
  } catch (error) {
    await close();
    throw error;
  }
}

import { type ApiSubject, errorKind } from '@gantry/sdk';
import { resolveImage } from '../engine/resolve';
import type { Stores } from '../engine/stores';

/** The image that a request names. */
export function requestSubject(
  stores: Pick<Stores, 'images' | 'references'>,
  path: string,
  { name }: Readonly<Record<string, string>>,
): ApiSubject | undefined {
  if (name === undefined || !path.startsWith('/images/')) return undefined;
  try {
    const image = resolveImage(name, stores);
    return { kind: 'image', id: image.id, name, labels: image.file.config.Labels ?? {} };
  } catch (error) {
    if (errorKind(error) === 'system') throw error;
    return undefined;
  }
}

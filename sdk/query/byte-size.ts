import { invalidParameter } from '../errors';

/**
 * Bytes of a size such as `10G`, `512m` or `1.5 GiB`: multiples of 1,024, as dockerd reads sizes of memory and disk.
 *
 * @throws invalid-parameter  `invalid size: '…'`
 * @see docker/go-units, RAMInBytes
 */
export function parseByteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?)?b?$/i.exec(text);
  if (match === null) throw invalidParameter(`invalid size: '${text}'`);
  return Math.floor(Number(match[1]) * 1024 ** ' kmgtp'.indexOf(match[2]?.toLowerCase() ?? ' '));
}

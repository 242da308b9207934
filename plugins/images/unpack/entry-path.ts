import { invalidParameter } from '@gantry/sdk';

/**
 * The clean relative path of an entry inside its layer: no leading `./`, no trailing slash; `` is the layer's root.
 *
 * @throws invalid-parameter  absolute, with a `..` component, or with a zero byte
 */
export function cleanEntryPath(name: string): string {
  if (name.startsWith('/')) throw invalidParameter(`invalid tar entry: absolute path "${name}"`);
  if (name.includes('\0')) throw invalidParameter('invalid tar entry: name with a zero byte');
  if (/^[^./][^/]*(?:\/[^./][^/]*)*$/.test(name)) return name;
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') throw invalidParameter(`invalid tar entry: "${name}" leaves the layer`);
    parts.push(part);
  }
  return parts.join('/');
}

/** A path as a byte string: one character per byte. */
export const bytesOf = (path: string): string => Buffer.from(path, 'utf8').toString('latin1');

/** A byte string (one character per byte) as fs takes it. */
export function systemPath(bytes: string): string | Buffer {
  return /^[\x01-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

/** A byte string as the C library takes it: a Buffer carries its own zero byte. */
export function nativePath(bytes: string): string | Buffer {
  return /^[\x01-\x7f]*$/.test(bytes) ? bytes : Buffer.from(`${bytes}\0`, 'latin1');
}

/*
 * File names are bytes. Here a path is a string with one character per byte (latin1), so that names in any encoding
 * pass through unchanged.
 */

/** As fs takes it. */
export const forFs = (path: string): string | Buffer => (isAscii(path) ? path : Buffer.from(path, 'latin1'));

/** As the C library takes it: a Buffer carries its own zero byte. */
export const forLibc = (path: string): string | Buffer => (isAscii(path) ? path : Buffer.from(`${path}\0`, 'latin1'));

/** A path as users write it, in UTF-8. */
export const fromText = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
export const toText = (path: string): string => Buffer.from(path, 'latin1').toString('utf8');

export const joinPath = (directory: string, name: string): string =>
  directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`;

function isAscii(path: string): boolean {
  for (let i = 0; i < path.length; i++) if (path.charCodeAt(i) > 127) return false;
  return true;
}

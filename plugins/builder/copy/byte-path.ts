/** A byte string (one character per byte) as fs takes it. */
export function forFs(bytes: string): string | Buffer {
  return /^[\x01-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

/** A byte string as the C library takes it: a Buffer carries its own zero byte. */
export function forLibc(bytes: string): string | Buffer {
  return /^[\x01-\x7f]*$/.test(bytes) ? bytes : Buffer.from(`${bytes}\0`, 'latin1');
}

/** Text of a Dockerfile as a byte string. */
export const toBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** A byte string as text, for messages. */
export const toText = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

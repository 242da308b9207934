const escaped: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/**
 * The body of a request, byte for byte as dockerd writes it: signs that mean something in HTML are escaped, and a line
 * feed ends it, so that a plugin may read a line.
 */
export function requestText(body: unknown): string {
  return `${JSON.stringify(body).replace(/[<>&\u2028\u2029]/g, (sign) => escaped[sign]!)}\n`;
}

/** A map in the order in which dockerd writes maps: by key. */
export function sortedMap<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

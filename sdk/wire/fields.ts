/**
 * Reading answers of plugins that were tested against a case-insensitive decoder: `err` counts as `Err`.
 * An exact match wins over another case.
 */
export function field(body: unknown, name: string): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  if (Object.hasOwn(body, name)) return (body as Record<string, unknown>)[name];
  const wanted = name.toLowerCase();
  for (const [key, value] of Object.entries(body)) if (key.toLowerCase() === wanted) return value;
  return undefined;
}

/** The field when it is a string, else the empty string. */
export function stringField(body: unknown, name: string): string {
  const value = field(body, name);
  return typeof value === 'string' ? value : '';
}

/** The field when it is an object, else undefined; null counts as absent. */
export function objectField(body: unknown, name: string): Readonly<Record<string, unknown>> | undefined {
  const value = field(body, name);
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** The field when it is an array, else an empty one; null counts as empty. */
export function arrayField(body: unknown, name: string): readonly unknown[] {
  const value = field(body, name);
  return Array.isArray(value) ? value : [];
}

/** A map of strings; null, absent and values that are not strings are left out. */
export function stringMapField(body: unknown, name: string): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const [key, value] of Object.entries(objectField(body, name) ?? {}))
    if (typeof value === 'string') out[key] = value;
  return out;
}

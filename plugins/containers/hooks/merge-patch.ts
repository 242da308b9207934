import type { JsonObject, MergePatch } from '@gantry/sdk';

/** The document with the change made; neither is touched. @see RFC 7396 */
export function applyMergePatch(document: JsonObject, patch: MergePatch): JsonObject {
  const merged: Record<string, unknown> = { ...document };
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    if (value === null) delete merged[name];
    else if (isObject(value)) merged[name] = applyMergePatch(asObject(merged[name]), value);
    else merged[name] = value;
  }
  return merged;
}

/** JSON Pointers of what a change touches. */
export function touchedPointers(patch: MergePatch, at = ''): string[] {
  return Object.entries(patch).flatMap(([name, value]) => {
    if (value === undefined) return [];
    const pointer = `${at}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    return isObject(value) && Object.keys(value).length > 0 ? touchedPointers(value, pointer) : [pointer];
  });
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const asObject = (value: unknown): JsonObject => (isObject(value) ? value : {});

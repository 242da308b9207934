import { randomBytes } from 'node:crypto';

/**
 * A number of a JSON text that a JavaScript number cannot stand for: an integer beyond 2^53, or one that was written
 * with a fraction or an exponent. It reckons and compares as the nearest JavaScript number, and `stringifyJson` writes
 * it as it was written.
 */
export class ExactNumber extends Number {
  constructor(
    /** As it was written. */
    readonly text: string,
  ) {
    super(text);
    isInUse = true;
  }
}

/** Whether a JSON value is an integer that Go's int64 takes: written without fraction and exponent, and in its range. */
export function isInt64(value: unknown): value is number {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (!(value instanceof ExactNumber) || !/^-?\d+$/.test(value.text)) return false;
  return BigInt.asIntN(64, BigInt(value.text)) === BigInt(value.text);
}

let isInUse = false;
// Nobody outside can write it, so no string of a client is taken for a number.
const mark = `exact-${randomBytes(12).toString('hex')}:`;
const marked = new RegExp(`"${mark}([^"]+)"`, 'g');

/** `JSON.stringify` that writes exact numbers exactly. */
export function stringifyJson(value: unknown): string {
  if (!isInUse) return JSON.stringify(value);
  const own = ExactNumber.prototype as ExactNumber & { toJSON?: () => string };
  // Elsewhere they are written as plain numbers, so it is there for this call only.
  own.toJSON = function toJSON(this: ExactNumber) {
    return mark + this.text;
  };
  try {
    return JSON.stringify(value)?.replace(marked, '$1');
  } finally {
    delete own.toJSON;
  }
}

import { invalidParameter } from '@gantry/sdk';

/**
 * A point in time as query parameters carry it: Unix seconds with up to nine decimals.
 *
 * @returns nanoseconds since the epoch, or undefined when the text is empty
 * @throws invalid-parameter  not such a number; the message names the parameter
 */
export function parseTimestamp(parameter: string, text: string): bigint | undefined {
  if (text === '') return undefined;
  const match = /^(-?\d{1,18})(?:\.(\d{1,9}))?$/.exec(text);
  if (match === null) throw invalidParameter(`invalid value for "${parameter}": "${text}" is not a Unix timestamp`);
  return BigInt(match[1]!) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

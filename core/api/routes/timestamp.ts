import { invalidParameter } from '@gantry/sdk';

/**
 * A point in time as query parameters carry it: Unix seconds with decimals, a date such as `2026-03-01T10:00:00Z`
 * (local time without a zone; the time may be shortened), or a duration before now such as `1h30m`.
 *
 * @param nowMs  the time durations are counted back from, milliseconds since the epoch
 * @returns nanoseconds since the epoch, or undefined when the text is empty
 * @throws invalid-parameter  none of these; the message names the parameter
 */
export function parseTimestamp(parameter: string, text: string, nowMs = Date.now()): bigint | undefined {
  if (text === '') return undefined;
  const found = fromUnixTime(text) ?? fromDate(text) ?? fromDuration(text, nowMs);
  if (found === undefined)
    throw invalidParameter(
      `invalid value for "${parameter}": "${text}" is neither Unix seconds (1136073845.5), nor a date (2006-01-02T15:04:05Z), nor a duration (10m30s)`,
    );
  return found;
}

const nanosPerSecond = 1_000_000_000n;

function fromUnixTime(text: string): bigint | undefined {
  const match = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(text);
  if (match === null) return undefined;
  const nanos = BigInt(match[2]!) * nanosPerSecond + fraction(match[3]);
  return match[1] === '-' ? -nanos : nanos;
}

function fromDate(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?)?(Z|[+-]\d\d:\d\d)?$/i.exec(text);
  if (match === null) return undefined;
  const [, day, hour = '00', minute = '00', second = '00', decimals, zone = ''] = match;
  const milliseconds = Date.parse(`${day}T${hour}:${minute}:${second}${zone.toUpperCase()}`);
  return Number.isNaN(milliseconds) ? undefined : BigInt(milliseconds) * 1_000_000n + fraction(decimals);
}

const unitNanos: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

function fromDuration(text: string, nowMs: number): bigint | undefined {
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)(ns|[uµμ]s|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|[uµμ]s|ms|s|m|h))*$/.test(text))
    return undefined;
  let nanos = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)([a-zµμ]+)/g)) nanos += Number(amount) * unitNanos[unit!]!;
  if (!Number.isFinite(nanos)) return undefined;
  const length = BigInt(Math.round(nanos));
  return BigInt(Math.round(nowMs * 1e6)) - (text.startsWith('-') ? -length : length);
}

/** Digits after the decimal point as nanoseconds; what is finer is cut. */
const fraction = (digits = ''): bigint => BigInt(digits.slice(0, 9).padEnd(9, '0'));

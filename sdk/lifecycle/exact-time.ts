const nsPerMs = 1_000_000n;
const nsPerSecond = 1_000_000_000n;
/** The system clock was set when it and the steady clock have drifted apart by more than this. */
const toleranceMs = 5;

let offsetNs = 0n;

/** Nanoseconds since the epoch, in nanosecond steps, though the system clock only gives milliseconds. */
export function wallClockNs(): bigint {
  const now = process.hrtime.bigint() + offsetNs;
  const wallMs = Date.now();
  if (Math.abs(Number(now / nsPerMs) - wallMs) <= toleranceMs) return now;
  offsetNs = BigInt(wallMs) * nsPerMs - process.hrtime.bigint();
  return BigInt(wallMs) * nsPerMs;
}

/** RFC 3339 in UTC with as many digits as the time needs, as Go's RFC3339Nano: `2026-01-02T03:04:05.06Z`. */
export function formatTimeNs(ns: bigint): string {
  const fraction = ((ns % nsPerSecond) + nsPerSecond) % nsPerSecond;
  const seconds = new Date(Number((ns - fraction) / nsPerMs)).toISOString().slice(0, 19);
  return fraction === 0n ? `${seconds}Z` : `${seconds}.${String(fraction).padStart(9, '0').replace(/0+$/, '')}Z`;
}

/** Nanoseconds since the epoch of an RFC 3339 time; undefined when the text is none. */
export function parseTimeNs(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (match === null || Number.isNaN(ms)) return undefined;
  return BigInt(ms) * nsPerMs + BigInt((match[2] ?? '').padEnd(9, '0'));
}

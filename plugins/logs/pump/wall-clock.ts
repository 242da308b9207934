const NS_PER_MS = 1_000_000n;
/** The system clock was set when it and the steady clock have drifted apart by more than this. */
const TOLERANCE_MS = 5;

let offsetNs = 0n;

/** Nanoseconds since the epoch, in nanosecond steps, though the system clock only gives milliseconds. */
export function nowNs(): bigint {
  const now = process.hrtime.bigint() + offsetNs;
  const wallMs = Date.now();
  if (Math.abs(Number(now / NS_PER_MS) - wallMs) <= TOLERANCE_MS) return now;
  offsetNs = BigInt(wallMs) * NS_PER_MS - process.hrtime.bigint();
  return BigInt(wallMs) * NS_PER_MS;
}

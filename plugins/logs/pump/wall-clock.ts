const NS_PER_MS = 1_000_000n;
/** The system clock was set when it and the steady clock have drifted apart by more than this. */
const TOLERANCE_MS = 5;
/** A clock that is this much behind was set back on purpose. */
const SET_BACK_NS = 20n * NS_PER_MS;

let offsetNs = 0n;
let lastNs = 0n;

/** Nanoseconds since the epoch, never the same twice, though the system clock only gives milliseconds. */
export function nowNs(): bigint {
  const now = readClock();
  lastNs = now > lastNs || lastNs - now > SET_BACK_NS ? now : lastNs + 1n;
  return lastNs;
}

function readClock(): bigint {
  const now = process.hrtime.bigint() + offsetNs;
  const wallMs = Date.now();
  if (Math.abs(Number(now / NS_PER_MS) - wallMs) <= TOLERANCE_MS) return now;
  offsetNs = BigInt(wallMs) * NS_PER_MS - process.hrtime.bigint();
  return BigInt(wallMs) * NS_PER_MS;
}

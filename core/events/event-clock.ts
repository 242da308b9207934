/** Wall time in nanoseconds that never repeats and never goes back. */
export class EventClock {
  private offsetNs = wallOffset();
  private lastNs = 0n;

  now(): bigint {
    const wallNs = BigInt(Date.now()) * 1_000_000n;
    let nowNs = process.hrtime.bigint() + this.offsetNs;
    const driftNs = nowNs - wallNs;
    // The wall clock was set, or drifted from the monotonic one.
    if (driftNs > maximumDriftNs || driftNs < -maximumDriftNs) {
      this.offsetNs = wallOffset();
      nowNs = process.hrtime.bigint() + this.offsetNs;
    }
    this.lastNs = nowNs > this.lastNs ? nowNs : this.lastNs + 1n;
    return this.lastNs;
  }

  /** Later times are after this one, even if the wall clock was set back while the daemon was away. */
  startAfter(timeNs: bigint): void {
    if (timeNs > this.lastNs) this.lastNs = timeNs;
  }
}

const maximumDriftNs = 20_000_000n;

function wallOffset(): bigint {
  return BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
}

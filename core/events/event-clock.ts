/** Wall time in nanoseconds that never repeats and never goes back. */
export class EventClock {
  private offsetNs = wallOffset();
  private lastNs = 0n;

  now(): bigint {
    // The wall clock tells milliseconds, the monotonic one what happens within them. Where they disagree, because the
    // wall clock was set or one of them drifts, the wall clock is right: nothing is dated ahead of what clients read.
    const wallNs = BigInt(Date.now()) * nsPerMs;
    const monotonicNs = process.hrtime.bigint();
    let nowNs = monotonicNs + this.offsetNs;
    if (nowNs < wallNs || nowNs >= wallNs + nsPerMs) {
      nowNs = nowNs < wallNs ? wallNs : wallNs + nsPerMs - 1n;
      this.offsetNs = nowNs - monotonicNs;
    }
    this.lastNs = nowNs > this.lastNs ? nowNs : this.lastNs + 1n;
    return this.lastNs;
  }

  /** Later times are after this one, even if the wall clock was set back while the daemon was away. */
  startAfter(timeNs: bigint): void {
    if (timeNs > this.lastNs) this.lastNs = timeNs;
  }
}

const nsPerMs = 1_000_000n;

function wallOffset(): bigint {
  return BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
}

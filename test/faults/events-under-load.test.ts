import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { EventFollower, type FollowerStyle } from '../support/event-follower';
import { eventually, sleep } from '../support/eventually';

/** `GANTRY_EVENTS=1000000` makes it the long drill. */
const total = Number(process.env.GANTRY_EVENTS ?? 20_000);
const isLong = total > 100_000;
/** Events in 4 ms. Only the readers that stop for a minute must fall out of the history of the long drill. */
const per = isLong ? 60 : 250;
jest.setTimeout(isLong ? 1_800_000 : 120_000);

const daemon = daemonForSuite({
  busybox: false,
  config: { plugins: { 'event-burst': { module: resolve(__dirname, '../support/event-burst-plugin.js') } } },
});

const style = (over: Partial<FollowerStyle>): FollowerStyle => ({
  by: 'sequence',
  pauseMs: 20,
  pauseEveryBytes: 256 * 1024,
  ...over,
});
const burstOnly = '{"event":["burst"]}';
/** One of each kind does not read at all for a while: more than its socket holds is written meanwhile. */
const styles: readonly FollowerStyle[] = [
  style({}),
  style({ pauseEveryBytes: 64 * 1024 }),
  style({ filters: burstOnly }),
  style({ pauseMs: 5 }),
  style({ pauseMs: isLong ? 60_000 : 1500, pauseEveryBytes: 1024 * 1024, pauses: 2 }),
  style({ by: 'time' }),
  style({ by: 'time', pauseEveryBytes: 64 * 1024 }),
  style({ by: 'time', filters: burstOnly }),
  style({ by: 'time', filters: '{"type":["volume"]}', pauseMs: 5 }),
  style({ by: 'time', pauseMs: isLong ? 60_000 : 1500, pauseEveryBytes: 1024 * 1024, pauses: 2 }),
];

function memoryMiB(): number {
  const status = readFileSync(`/proc/${daemon().pid}/status`, 'utf8');
  // A process that has just been killed has no memory any more.
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

test(`ten slow readers of ${total} events lose none silently, and the daemon is killed on the way`, async () => {
  const startNano = String(BigInt(Date.now()) * 1_000_000n);
  const followers = styles.map((each) => new EventFollower(daemon().api, each, startNano));
  const running = followers.map((follower) => follower.run());
  const half = total / 2;
  const idleMiB = memoryMiB();
  let peakMiB = 0;
  const watch = setInterval(() => {
    if (daemon().runs) peakMiB = Math.max(peakMiB, memoryMiB());
  }, 250);
  const startedAt = Date.now();
  try {
    // Killed while it publishes: what nobody was shown may be forgotten, the rest may not.
    const burst = daemon().api.post(`/burst?part=1&from=1&count=${total * 100}&per=${per}`, undefined, {
      timeoutMs: 1_700_000,
    });
    const cut = expect(burst).rejects.toThrow();
    await eventually(
      'half of the events',
      () => followers.some(({ newest }) => (newest['part-1'] ?? 0) >= half),
      900_000,
    );
    await daemon().kill();
    await cut;
    const seenAtKill = Math.max(...followers.map(({ newest }) => newest['part-1'] ?? 0));
    await daemon().start();
    await daemon().api.post(`/burst?part=2&from=1&count=${half}&per=${per}`, undefined, { timeoutMs: 900_000 });
    await eventually(
      'all readers to have read everything',
      () => followers.every(({ newest }) => newest['part-2'] === half),
      900_000,
    );
    for (const follower of followers) expect(follower.problems).toEqual([]);
    // Whoever had no gap has seen the same of the killed daemon, and all that anybody was shown.
    const whole = followers.filter(({ gaps }) => gaps === 0);
    if (isLong) {
      const figures = {
        seconds: Math.round((Date.now() - startedAt) / 100) / 10,
        seenBy: followers.map(({ seen }) => seen),
        gaps: followers.map(({ gaps, missed }) => `${gaps} gaps, ${missed} missed`),
        memoryMiB: { idle: idleMiB, peak: peakMiB, after: memoryMiB() },
      };
      process.stdout.write(`${JSON.stringify(figures)}\n`);
    }
    // The history holds all of the short drill, and of the long one for those who never stop.
    expect(whole.length).toBe(isLong ? 8 : 10);
    const published = whole[0]!.newest['part-1']! + half;
    expect(published).toBeGreaterThanOrEqual(seenAtKill + half);
    for (const { seen } of whole) expect(seen).toBe(published);
    for (const { seen, missed } of followers) expect(seen + missed).toBeLessThanOrEqual(published);
    expect(peakMiB).toBeLessThan(idleMiB + 150);
  } finally {
    clearInterval(watch);
    for (const follower of followers) follower.end();
    await Promise.all(running);
  }
});

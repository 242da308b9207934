import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineEvent } from '@gantry/sdk';
import { recordingLogger } from '../../api/test/api-fixture';
import { EventLog, type EventLogOptions } from '../event-log';
import type { EventGap, EventReader, ReadingStart } from '../event-reader';

const event = (action: string, attributes: Record<string, string> = {}): EngineEvent => ({
  type: 'container',
  action,
  actor: { id: 'c0ffee', attributes },
});

let directory: string;
const opened: EventLog[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'gantry-events-'));
});
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  await rm(directory, { recursive: true, force: true });
});

async function openLog(options: EventLogOptions = {}): Promise<EventLog> {
  const log = new EventLog(recordingLogger(), options);
  await log.open(directory);
  opened.push(log);
  return log;
}

const publishAll = (log: EventLog, from: number, to: number) => {
  for (let i = from; i <= to; i++) log.publish(event(String(i)));
};

/** Everything a reader is shown until nothing is left. */
async function readAll(log: EventLog, start: ReadingStart): Promise<{ seen: number[]; gaps: EventGap[] }> {
  const reader = log.reader(start);
  const seen: number[] = [];
  const gaps: EventGap[] = [];
  for (;;) {
    const batch = await reader.next(AbortSignal.abort());
    if (batch === undefined) return { seen, gaps };
    if (batch.gap !== undefined) gaps.push(batch.gap);
    for (const { sequence, event: told } of batch.events) {
      expect(told.action).toBe(String(sequence));
      seen.push(sequence);
    }
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const small = { segmentBytes: 4096, segments: 4 };

test('times rise strictly, also when the clock was set back between two runs', async () => {
  const first = await openLog();
  publishAll(first, 1, 1000);
  await first.close();
  const clock = jest.spyOn(Date, 'now').mockReturnValue(1_000_000);
  const second = await openLog();
  publishAll(second, 1001, 1002);
  clock.mockRestore();
  const times: bigint[] = [];
  const reader = second.reader({ afterSequence: 0 });
  for (let batch = await reader.next(AbortSignal.abort()); batch; batch = await reader.next(AbortSignal.abort()))
    times.push(...batch.events.map(({ timeNs }) => timeNs));
  expect(times).toHaveLength(1002);
  expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true);
  expect(Math.abs(Number(times[0]! / 1_000_000n) - Date.now())).toBeLessThan(60_000);
});

test('numbers and history go on after a restart', async () => {
  const first = await openLog();
  publishAll(first, 1, 300);
  await first.close();
  const second = await openLog({ capacity: 16 });
  expect(second.lastSequence).toBe(300);
  publishAll(second, 301, 400);
  expect(await readAll(second, { afterSequence: 0 })).toEqual({ seen: range(1, 400), gaps: [] });
  expect((await readAll(second, { afterSequence: 299 })).seen).toEqual(range(300, 400));
});

test('a reader that is far behind catches up from disk without a gap', async () => {
  const log = await openLog({ capacity: 8 });
  const reader = log.reader({ afterSequence: 0 });
  publishAll(log, 1, 3);
  const seen = (await reader.next(never))!.events.map(({ sequence }) => sequence);
  publishAll(log, 4, 5000);
  for (let batch = await reader.next(AbortSignal.abort()); batch; batch = await reader.next(AbortSignal.abort())) {
    expect(batch.gap).toBeUndefined();
    seen.push(...batch.events.map(({ sequence }) => sequence));
  }
  expect(seen).toEqual(range(1, 5000));
});

test('the disk is bounded, and readers of what is dropped are told the gap', async () => {
  const log = await openLog({ capacity: 8, store: small });
  const stuck = log.reader({ afterSequence: 0 });
  publishAll(log, 1, 1);
  expect((await stuck.next(never))!.events).toHaveLength(1);
  const startedNs = BigInt(Date.now()) * 1_000_000n - 3_600_000_000_000n;
  for (let i = 2; i <= 1000; i++) {
    publishAll(log, i, i);
    if (i % 10 === 0) await written(log);
  }
  await written(log);
  const sizes = await Promise.all(
    (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size),
  );
  expect(sizes.length).toBeLessThanOrEqual(4);
  expect(Math.max(...sizes)).toBeLessThan(3 * 4096);
  const rest = await drain(stuck);
  expect(rest.gaps).toHaveLength(1);
  expect(rest.gaps[0]!.first).toBe(2);
  expect(rest.seen).toEqual(range(rest.gaps[0]!.last + 1, 1000));
  // Who asks by time learns that there was more; who asks for what is still there hears nothing of it.
  const byTime = await readAll(log, { sinceNs: startedNs });
  expect(byTime.gaps).toEqual([{ last: rest.gaps[0]!.last }]);
  expect(byTime.seen).toEqual(rest.seen);
  const middle = await timeOf(log, 995);
  expect(await readAll(log, { sinceNs: middle })).toEqual({ seen: range(995, 1000), gaps: [] });
});

test('a time is found exactly, in memory, on disk and in the last run', async () => {
  const first = await openLog({ store: small });
  publishAll(first, 1, 60);
  await first.close();
  const log = await openLog({ capacity: 8, store: { ...small, segments: 99 } });
  publishAll(log, 61, 120);
  await written(log);
  for (const sequence of [1, 2, 30, 60, 61, 90, 113, 120]) {
    const timeNs = await timeOf(log, sequence);
    expect((await readAll(log, { sinceNs: timeNs })).seen[0]).toBe(sequence);
    expect((await readAll(log, { sinceNs: timeNs + 1n })).seen[0]).toBe(sequence === 120 ? undefined : sequence + 1);
  }
});

test.each([
  ['half a line', (path: string) => appendFile(path, '{"status":"start","id":"c0f')],
  ['a line without its newline', async (path: string) => truncate(path, (await stat(path)).size - 1)],
  ['zeroes', (path: string) => appendFile(path, Buffer.alloc(100_000))],
  ['a line of something else', (path: string) => appendFile(path, 'hello\n')],
])('%s at the end is repaired, and what follows is read', async (_what, damage) => {
  const first = await openLog();
  publishAll(first, 1, 10);
  await first.close();
  await damage(join(directory, (await readdir(directory))[0]!));
  const second = await openLog();
  const last = second.lastSequence;
  expect(last).toBeGreaterThanOrEqual(9);
  publishAll(second, last + 1, last + 5);
  expect(await readAll(second, { afterSequence: 0 })).toEqual({ seen: range(1, last + 5), gaps: [] });
});

test('a segment that was only begun is taken up again', async () => {
  await writeFile(join(directory, '0000000000000007.jsonl'), '');
  const log = await openLog();
  expect(log.lastSequence).toBe(6);
  publishAll(log, 7, 8);
  expect(await readAll(log, { afterSequence: 6 })).toEqual({ seen: [7, 8], gaps: [] });
});

test('a hole in the files is told as a gap', async () => {
  const first = await openLog();
  publishAll(first, 1, 10);
  await first.close();
  const path = join(directory, (await readdir(directory))[0]!);
  const lines = (await readFile(path, 'utf8')).split('\n');
  await writeFile(path, lines.filter((_, i) => i !== 4 && i !== 5).join('\n'));
  const second = await openLog();
  expect(await readAll(second, { afterSequence: 0 })).toEqual({
    seen: [1, 2, 3, ...range(6, 10)],
    gaps: [{ first: 4, last: 5 }],
  });
});

test('a history of a newer daemon is left alone', async () => {
  await writeFile(join(directory, '0000000000000001.jsonl'), '{"format":2}\n');
  await expect(openLog()).rejects.toThrow(/newer daemon/);
  expect(await readFile(join(directory, '0000000000000001.jsonl'), 'utf8')).toBe('{"format":2}\n');
});

test('a disk that refuses does not hold up readers', async () => {
  const log = await openLog({ capacity: 8 });
  publishAll(log, 1, 2);
  await written(log);
  jest.spyOn(log.store!, 'append').mockRejectedValue(new Error('no space left on device'));
  publishAll(log, 3, 5);
  expect(await readAll(log, { afterSequence: 0 })).toEqual({ seen: [1, 2, 3, 4, 5], gaps: [] });
});

test('a reader that is behind when the log is closed still reads everything', async () => {
  const log = await openLog({ capacity: 8 });
  publishAll(log, 1, 500);
  await log.close();
  publishAll(log, 501, 503);
  expect(await readAll(log, { afterSequence: 0 })).toEqual({ seen: range(1, 503), gaps: [] });
});

test('events of any size are kept', async () => {
  const log = await openLog({ capacity: 1 });
  log.publish(event('1', { note: 'é'.repeat(300_000) }));
  publishAll(log, 2, 3);
  await log.close();
  const again = await openLog();
  expect(again.lastSequence).toBe(3);
  expect((await readAll(again, { afterSequence: 0 })).seen).toEqual([1, 2, 3]);
});

test('without a disk the ring keeps the newest and tells how many a reader missed', async () => {
  const log = new EventLog(recordingLogger(), { capacity: 4 });
  publishAll(log, 1, 10);
  expect(await readAll(log, { afterSequence: 2 })).toEqual({ seen: range(7, 10), gaps: [{ first: 3, last: 6 }] });
  expect(await readAll(log, { sinceNs: 0n })).toEqual({ seen: range(7, 10), gaps: [{ last: 6 }] });
  expect(await readAll(log, { afterSequence: 10 })).toEqual({ seen: [], gaps: [] });
});

test('what is published right before the end of a reading is still shown', async () => {
  const log = await openLog();
  const stop = new AbortController();
  const reader = log.reader({ afterSequence: 0 });
  const waiting = reader.next(stop.signal);
  publishAll(log, 1, 1);
  stop.abort();
  expect((await waiting)!.events.map(({ sequence }) => sequence)).toEqual([1]);
  expect(await reader.next(stop.signal)).toBeUndefined();
});

const never = new AbortController().signal;

async function drain(reader: EventReader): Promise<{ seen: number[]; gaps: EventGap[] }> {
  const seen: number[] = [];
  const gaps: EventGap[] = [];
  for (let batch = await reader.next(AbortSignal.abort()); batch; batch = await reader.next(AbortSignal.abort())) {
    if (batch.gap !== undefined) gaps.push(batch.gap);
    seen.push(...batch.events.map(({ sequence }) => sequence));
  }
  return { seen, gaps };
}

/** Resolves when everything published may be shown, which is when it is on disk. */
async function written(log: EventLog): Promise<void> {
  while (log.shownSequence < log.lastSequence) await new Promise((resolve) => setImmediate(resolve));
}

async function timeOf(log: EventLog, sequence: number): Promise<bigint> {
  const batch = await log.reader({ afterSequence: sequence - 1 }).next(never);
  return batch!.events[0]!.timeNs;
}

import { formatTimeNs, parseTimeNs, wallClockNs } from '..';

test.each([
  [0n, '1970-01-01T00:00:00Z'],
  [1_767_323_045_060_000_000n, '2026-01-02T03:04:05.06Z'],
  [1_767_323_045_000_000_001n, '2026-01-02T03:04:05.000000001Z'],
  [-1n, '1969-12-31T23:59:59.999999999Z'],
])('%s nanoseconds are written without needless zeroes and read back', (ns, text) => {
  expect(formatTimeNs(ns)).toBe(text);
  expect(parseTimeNs(text)).toBe(ns);
});

test('offsets are understood, other texts are not', () => {
  expect(parseTimeNs('2026-01-02T05:04:05.5+02:00')).toBe(1_767_323_045_500_000_000n);
  expect(parseTimeNs('yesterday')).toBeUndefined();
});

test('the exact clock agrees with the system clock and does not stand still', () => {
  const [first, second] = [wallClockNs(), wallClockNs()];
  expect(Math.abs(Number(first / 1_000_000n) - Date.now())).toBeLessThan(50);
  expect(second).toBeGreaterThan(first);
});

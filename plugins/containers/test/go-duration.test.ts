import { goDuration } from '../run/go-duration';

test.each([
  [0, '0s'],
  [0.05, '50µs'],
  [50, '50ms'],
  [1500, '1.5s'],
  [30_000, '30s'],
  [60_000, '1m0s'],
  [90_100, '1m30.1s'],
  [3_600_000, '1h0m0s'],
])('%d ms is printed as %s', (ms, text) => {
  expect(goDuration(ms)).toBe(text);
});

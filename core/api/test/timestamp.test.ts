import { parseTimestamp } from '../routes/timestamp';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const second = 1_000_000_000n;

test.each([
  ['1795257437', 1_795_257_437n * second],
  ['1795257437.166214057', 1_795_257_437_166_214_057n],
  ['1795257437.1', 1_795_257_437_100_000_000n],
  ['1795257437.1662140579', 1_795_257_437_166_214_057n],
  ['0', 0n],
  ['-5', -5n * second],
  ['2026-11-21T11:00:00Z', BigInt(nowMs) * 1_000_000n - 3600n * second],
  ['2026-11-21T12:00:00.000000001+01:00', BigInt(nowMs) * 1_000_000n - 3600n * second + 1n],
  ['10m', BigInt(nowMs) * 1_000_000n - 600n * second],
  ['1h30m1.5s', BigInt(nowMs) * 1_000_000n - 5401n * second - 500_000_000n],
  ['-10s', BigInt(nowMs) * 1_000_000n + 10n * second],
  ['', undefined],
])('%s is a point in time', (text, expected) => {
  expect(parseTimestamp('since', text, nowMs)).toBe(expected);
});

test('a date without a zone is local time, and its time may be shortened', () => {
  const local = BigInt(new Date(2026, 10, 21, 12, 0).getTime()) * 1_000_000n;
  for (const text of ['2026-11-21T12', '2026-11-21T12:00', '2026-11-21T12:00:00'])
    expect(parseTimestamp('since', text)).toBe(local);
  expect(parseTimestamp('since', '2026-11-21')).toBe(local - 12n * 3600n * second);
});

test.each(['yesterday', '1e9', '10 m', '2026-13-01', '1795257437,5', 'm', '0x10', '9'.repeat(40)])(
  '%s is refused',
  (text) => {
    expect(() => parseTimestamp('since', text)).toThrow(expect.objectContaining({ kind: 'invalid-parameter' }));
  },
);

import { decodeLogCapabilities, encodeLogEntry, encodeReadConfig, LogEntryDecoder, type WireLogEntry } from '..';

const whole: WireLogEntry = { source: 'stdout', timeNs: 1_700_000_000_123_456_789n, line: Buffer.from('hello') };
const piece: WireLogEntry = {
  source: 'stderr',
  timeNs: 2n,
  line: Buffer.alloc(20_000, 'x'),
  partial: { id: 'abc', ordinal: 2, last: true },
};

test('an entry is framed and encoded as plugins know it', () => {
  expect(encodeLogEntry({ source: 'stdout', timeNs: 300n, line: Buffer.from('hi') }).toString('hex')).toBe(
    // length 15; 1: "stdout"; 2: 300; 3: "hi"
    '0000000f0a067374646f757410ac021a026869',
  );
});

// As dockerd 28.5.2 wrote them for `echo hi; printf tail`.
test.each([
  '000000160a067374646f757410e4cbabb8a0ae8bf5181a026869',
  '000000600a067374646f757410cac4c8c9a0ae8bf5181a047461696c20012a441240376334373566353332323933353266616337633634623531656432643133303233396136656464633538383138653039663035356630313330366236366334661801',
])('an entry of dockerd is understood, and written the same: %s', (hex) => {
  const entries = new LogEntryDecoder().push(Buffer.from(hex, 'hex'));
  expect(entries).toHaveLength(1);
  expect(encodeLogEntry(entries[0]!).toString('hex')).toBe(hex);
});

test('entries are read back from bytes that arrive one at a time', () => {
  const decoder = new LogEntryDecoder();
  const entries = [...Buffer.concat([encodeLogEntry(whole), encodeLogEntry(piece)])].flatMap((byte) =>
    decoder.push(Buffer.from([byte])),
  );
  expect(entries).toEqual([whole, piece]);
  expect(decoder.pendingBytes).toBe(0);
});

test.each([
  ['ffffffff', 'not believable'],
  ['00000002100f', undefined],
  ['0000000110', 'middle of a number'],
  ['000000020a05', 'middle of a field'],
  ['000000010b', 'unknown wire type 3'],
])('the bytes %s are taken or refused, never misread', (hex, message) => {
  const read = () => new LogEntryDecoder().push(Buffer.from(hex, 'hex'));
  if (message === undefined) expect(read()).toEqual([{ source: 'stdout', timeNs: 15n, line: Buffer.alloc(0) }]);
  else expect(read).toThrow(message);
});

test('times of a read request keep their nanoseconds, and no limit is the zero time', () => {
  expect(encodeReadConfig({ sinceNs: 1_700_000_000_000_000_001n, follow: true })).toEqual({
    Since: '2023-11-14T22:13:20.000000001Z',
    Until: '0001-01-01T00:00:00Z',
    Tail: -1,
    Follow: true,
  });
});

test('only Cap tells that a plugin reads back', () => {
  expect(decodeLogCapabilities({ Cap: { ReadLogs: true } })).toEqual({ readLogs: true });
  expect(decodeLogCapabilities({ ReadLogs: true })).toEqual({ readLogs: false });
});

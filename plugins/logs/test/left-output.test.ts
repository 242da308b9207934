import type { LogBatch, LogEntry, LogReadOptions } from '@gantry/sdk';
import { storedMessages } from '../pump/left-output';
import { LineAssembler } from '../pump/line-assembler';
import { skipMessages } from '../pump/skip-messages';

const noNote = Buffer.alloc(64);
const entry = (line: string, timeNs = 5n, source: LogEntry['source'] = 'stdout'): LogEntry => ({
  source,
  timeNs,
  line: Buffer.from(line),
});
const log = (...entries: LogEntry[]) =>
  async function* ({ sinceNs }: LogReadOptions) {
    yield entries.filter(({ timeNs }) => timeNs >= (sinceNs ?? 0n));
  };
const left = (data: string, markedNs: bigint | undefined = 5n, note = noNote) => ({
  data: Buffer.from(data),
  markedNs,
  note,
});

test('lines of this stream with the marked time were stored', async () => {
  const found = log(entry('same\n', 4n), entry('same\n'), entry('same\n', 5n, 'stderr'), entry('two\n'));
  expect(await storedMessages('stdout', left('same\ntwo\nthree\nfo'), found)).toBe(2);
});

test('what was not marked was not stored, whatever the log says', async () => {
  expect(await storedMessages('stdout', { ...left('one\n'), markedNs: undefined }, log(entry('one\n')))).toBe(0);
});

test('lines that were rotated away since are told by the last one that is there', async () => {
  expect(await storedMessages('stdout', left('1\n2\n3\n4\n5\n'), log(entry('3\n'), entry('4\n')))).toBe(4);
});

test('pieces of a long line that were let go earlier do not count', async () => {
  const piece = 'x'.repeat(16384);
  const assembler = new LineAssembler('stdout', () => undefined);
  assembler.push(Buffer.from(`${piece}${piece}xx`), 3n);
  const note = Buffer.alloc(64);
  assembler.note(note);
  const found = log(entry(piece, 3n), entry(piece, 3n), entry(piece, 3n));
  expect(await storedMessages('stdout', left(`xx${piece}`, 5n, note), found)).toBe(1);
});

test('an assembler that resumes goes on with the long line of the one before', () => {
  const batches: LogBatch[] = [];
  const before = new LineAssembler('stdout', (batch) => batches.push(batch));
  before.push(Buffer.alloc(20_000, 'x'), 3n);
  const note = Buffer.alloc(64);
  before.note(note);
  const after = new LineAssembler('stdout', (batch) => batches.push(batch));
  after.resume(note);
  after.push(Buffer.from('the end\nnext\n'), 9n);
  expect(batches.map(({ timeNs, partial }) => [timeNs, partial?.ordinal, partial?.last])).toEqual([
    [3n, 1, false],
    [3n, 2, true],
    [9n, undefined, undefined],
  ]);
  expect(batches[1]!.partial!.id).toBe(batches[0]!.partial!.id);
});

test('skipping takes away the first messages, across batches and within one', () => {
  const seen: string[] = [];
  const emit = skipMessages(3, ({ data }) => seen.push(data.toString()));
  const batch = (data: string, more: Partial<LogBatch> = {}): LogBatch => ({
    source: 'stdout',
    timeNs: 1n,
    data: Buffer.from(data),
    ...more,
  });
  emit(batch('1\n2\n'));
  emit(batch('3', { partial: { id: 'a', ordinal: 1, last: false } }));
  emit(batch('4\n5\n'));
  expect(seen).toEqual(['4\n5\n']);
});

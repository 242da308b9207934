import type { LogBatch, LogEntry } from '../../contracts/log-driver';
import { SentWindow } from '../sent-window';

const batch = (data: string, timeNs: number): LogBatch => ({
  source: 'stdout',
  timeNs: BigInt(timeNs),
  data: Buffer.from(data),
});
const entry = (line: string, timeNs: number): LogEntry => ({
  source: 'stdout',
  timeNs: BigInt(timeNs),
  line: Buffer.from(line),
});
const texts = (batches: readonly LogBatch[]) => batches.map(({ data }) => data.toString());

function windowWith(...batches: LogBatch[]): SentWindow {
  const sent = new SentWindow();
  for (const each of batches) sent.add(each);
  return sent;
}

test('what the plugin took and did not store is missing, and what nobody read is not', () => {
  const sent = windowWith(batch('1\n2\n', 1), batch('3\n4\n', 2));
  expect(sent.sinceNs).toBe(1n);
  expect(texts(sent.missing([entry('1\n', 1)], 1))).toEqual(['2\n', '3\n']);
  expect(sent.missing([entry('1\n', 1), entry('2\n', 1), entry('3\n', 2)], 1)).toEqual([]);
});

test('entries of several lines count as that many', () => {
  const sent = windowWith(batch('1\n2\n', 1), batch('3\n', 2));
  expect(texts(sent.missing([entry('1\n2\n', 1)], 0))).toEqual(['3\n']);
});

test('a plugin with times of its own gets nothing twice', () => {
  expect(windowWith(batch('1\n2\n', 10)).missing([entry('1\n', 77)], 0)).toEqual([]);
});

test('what was given back takes no room from what was sent after it', () => {
  const sent = windowWith();
  const large = 'x'.repeat(100_000);
  for (let at = 0; at < 20; at++) {
    sent.add(batch(`${large}\n`, at));
    sent.forgetLast(1);
  }
  for (const each of ['1\n', '2\n', '3\n']) sent.add(batch(each, 100 + Number(each)));
  expect(texts(sent.missing([], 0))).toEqual(['1\n', '2\n', '3\n']);
});

test('what was given back is not sent by the next writer', () => {
  const sent = windowWith(batch('1\n2\n', 1), batch('3\n', 2));
  sent.forgetLast(2);
  expect(texts(sent.missing([], 0))).toEqual(['1\n']);
});

test('the window is bounded, and asks for whole times only', () => {
  const big = 'x'.repeat(400_000);
  const sent = windowWith(batch(`${big}\n`, 1), batch(`${big}\n`, 2), batch('a\n', 2), batch(`${big}\n`, 3));
  sent.add(batch(`${big}\n`, 4));
  expect(sent.sinceNs).toBe(3n);
});

test('a clock that was set back changes nothing', () => {
  const sent = windowWith(batch('1\n', 100), batch('2\n3\n', 50));
  expect(sent.sinceNs).toBe(50n);
  expect(texts(sent.missing([entry('1\n', 100), entry('2\n', 50)], 0))).toEqual(['3\n']);
});

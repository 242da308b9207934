import type { FileHandle } from 'node:fs/promises';
import type { LogEntry } from '../contracts/log-driver';

/** How entries stand in a log file: where one ends, and what it says. One for each file format. */
export interface LogFormat {
  /** Where the last whole record of `data` ends, which begins with a record; 0 when none is whole. */
  wholeEnd(data: Buffer): number;
  /** The end of the first record that reaches to `from` or beyond. `data` holds whole records only. */
  endAfter(data: Buffer, from: number): number;
  /** Records in the first `end` bytes, which hold whole records only. */
  count(data: Buffer, end: number): number;
  /** Where the record with this index begins in `data`. */
  startOf(data: Buffer, index: number): number;
  /** Where the last `records` records before `end` begin in the file, and how many there are. */
  findLast(file: FileHandle, end: number, records: number): Promise<{ readonly start: number; readonly found: number }>;
  /** Where the last whole record in the first `size` bytes ends: behind it is what a crash left. */
  intactEnd(file: FileHandle, size: number): Promise<number>;
  /** Decodes the first `end` bytes of `data`, which become the entries'. What is no entry is left out. */
  decode(data: Buffer, end: number): LogEntry[];
}

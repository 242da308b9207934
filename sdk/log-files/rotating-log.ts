import { ftruncateSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Logger } from '../contracts/logger';
import { errorMessage } from '../errors';
import { KeyedLock } from '../lifecycle';
import type { LogFormat } from './log-format';
import { compressFile, repairRotation, shiftFiles, swapForCompressed } from './rotated-files';
import { byteLength, type TextEncoding, WriteBuffers } from './write-buffers';

/** As dockerd makes it. */
const FILE_MODE = 0o640;
const REPORT_MS = 10_000;
/** A write into the page cache takes microseconds. One that takes longer meets a busy disk, which others must not feel. */
const SLOW_WRITE_MS = 4;
/** After a slow write nothing is written at once for this long. */
const SLOW_DISK_MS = 1_000;

/** When a new file is begun, and what becomes of the old ones. */
export interface RotationOptions {
  /** Bytes after which a new file is begun; undefined = never. */
  readonly maxBytes?: number;
  /** Files kept, the one being written included. */
  readonly maxFiles: number;
  /** Old files are packed with gzip. */
  readonly compress: boolean;
}

/** A log file that is being written. One write is under way at a time; what arrives meanwhile goes in the next. */
export class RotatingLog {
  /** Counts the files begun, so that a reader knows when its file is complete. */
  generation = 0;
  closed = false;
  private waiting = new WriteBuffers();
  private underWay = new WriteBuffers();
  private addedBytes = 0;
  /** Written, or lost and reported. */
  private settledBytes = 0;
  private writing: Promise<void> | undefined;
  private compressing: Promise<void> = Promise.resolve();
  private readonly listeners = new Set<() => void>();
  private readonly lock = new KeyedLock();
  private reportedAt = 0;
  private slowUntil = 0;

  private constructor(
    readonly path: string,
    private readonly options: RotationOptions,
    private readonly format: LogFormat,
    private file: FileHandle,
    private size: number,
    private readonly log: Logger,
  ) {}

  /** Opens or makes the log, and cuts off what a crash left at its end. The caller closes it. */
  static async open(path: string, options: RotationOptions, format: LogFormat, log: Logger): Promise<RotatingLog> {
    const file = await open(path, 'a+', FILE_MODE);
    try {
      await repairRotation(path);
      const found = (await file.stat()).size;
      const size = await format.intactEnd(file, found);
      if (size < found) await file.truncate(size);
      return new RotatingLog(path, options, format, file, size, log);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Takes whole records, and has copied them when it returns. Wait for `stored` before adding much more. */
  add(data: string | Buffer, encoding: TextEncoding = 'utf8'): void {
    if (this.writing === undefined && this.writeAtOnce(data, encoding)) return;
    this.addedBytes += this.waiting.add(data, encoding);
    this.writing ??= this.run();
  }

  /**
   * Output that was read and not yet written dies with the daemon. So it goes into the page cache in the same
   * turn of the loop, unless the file is full, the disk is slow, or earlier output is still on its way.
   */
  private writeAtOnce(data: string | Buffer, encoding: TextEncoding): boolean {
    const bytes = byteLength(data, encoding);
    const { maxBytes } = this.options;
    if (maxBytes !== undefined && this.size + bytes > maxBytes) return false;
    const before = performance.now();
    if (before < this.slowUntil) return false;
    try {
      const { fd } = this.file;
      const written = typeof data === 'string' ? writeSync(fd, data, null, encoding) : writeSync(fd, data);
      if (written < bytes) {
        ftruncateSync(fd, this.size);
        return false;
      }
    } catch {
      // The queued write meets the same failure and reports it.
      return false;
    }
    const after = performance.now();
    if (after - before > SLOW_WRITE_MS) this.slowUntil = after + SLOW_DISK_MS;
    this.size += bytes;
    this.addedBytes += bytes;
    this.settledBytes += bytes;
    this.notify();
    return true;
  }

  /** A promise while something that was added is not in the file yet. */
  stored(): void | Promise<void> {
    if (this.settledBytes < this.addedBytes) return this.flush();
  }

  /** Waits for what was added so far, however much follows. */
  async flush(): Promise<void> {
    const wanted = this.addedBytes;
    if (this.settledBytes >= wanted) return;
    await new Promise<void>((resolve) => {
      const leave = this.onChange(() => {
        if (this.settledBytes < wanted) return;
        leave();
        resolve();
      });
    });
  }

  async close(): Promise<void> {
    if (this.closed) return;
    await this.flush();
    await this.compressing;
    this.closed = true;
    await this.file.close();
    this.notify();
  }

  /** Called after each write, rotation and the close. Returns the way to leave. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Runs `work` while no file is renamed. */
  withStableFiles<T>(work: () => Promise<T>): Promise<T> {
    return this.lock.run('', work);
  }

  private async run(): Promise<void> {
    // Let what arrives in this turn of the loop come along.
    await null;
    while (!this.waiting.isEmpty) {
      const batch = this.waiting;
      this.waiting = this.underWay;
      this.underWay = batch;
      try {
        await this.store(batch.pieces(), batch.bytes);
      } catch (error) {
        await this.recover(error);
      }
      this.settledBytes += batch.bytes;
      batch.release();
      this.notify();
    }
    this.writing = undefined;
  }

  private async store(batch: Buffer[], bytes: number): Promise<void> {
    const { maxBytes } = this.options;
    if (maxBytes === undefined || this.size + bytes <= maxBytes) return this.write(batch, bytes);
    let data = batch.length === 1 ? batch[0]! : Buffer.concat(batch);
    while (data.length > 0) {
      if (this.size >= maxBytes) await this.rotate();
      const end = this.format.endAfter(data, maxBytes - this.size);
      await this.write([data.subarray(0, end)], end);
      data = data.subarray(end);
    }
  }

  private async write(batch: Buffer[], bytes: number): Promise<void> {
    const { bytesWritten } = await this.file.writev(batch);
    if (bytesWritten < bytes) await this.file.appendFile(Buffer.concat(batch).subarray(bytesWritten));
    this.size += bytes;
  }

  private rotate(): Promise<void> {
    return this.lock.run('', async () => {
      await this.compressing;
      await this.file.close();
      try {
        await shiftFiles(this.path, this.options.maxFiles);
      } finally {
        this.file = await open(this.path, 'a+', FILE_MODE);
        this.size = (await this.file.stat()).size;
      }
      this.generation++;
      if (this.options.compress) this.compressing = this.compress(`${this.path}.1`);
    });
  }

  private async compress(path: string): Promise<void> {
    try {
      await compressFile(path);
      await swapForCompressed(path);
    } catch (error) {
      this.report('compressing a log file failed', error);
    }
  }

  /** What was lost is lost, but half of a record must not spoil the next. */
  private async recover(error: unknown): Promise<void> {
    this.report('writing a log file failed, output is lost', error);
    try {
      await this.file.truncate(this.size);
    } catch {
      // Reported already.
    }
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }

  private report(message: string, error: unknown): void {
    const now = Date.now();
    if (now - this.reportedAt < REPORT_MS) return;
    this.reportedAt = now;
    this.log.error(message, { path: this.path, error: errorMessage(error) });
  }
}

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogBatch, LogDriver, LogInfo } from '../contracts/log-driver';
import type { Logger } from '../contracts/logger';
import type { LogFormat } from './log-format';
import { readLog } from './read-log';
import { removeLogFiles } from './rotated-files';
import { RotatingLog, type RotationOptions } from './rotating-log';

/** What makes a driver that keeps rotating files: its options, its place and its format. */
export interface FileLogDriverParts {
  /** @throws invalid-parameter naming the option */
  parseOptions(options: LogInfo['options']): RotationOptions;
  /** The file being written. Its directory is made when it is not there. */
  pathOf(info: LogInfo): string;
  readonly format: LogFormat;
  /** Encodes for one container: each batch goes into the file as whole records. */
  encoder(info: LogInfo): (batch: LogBatch, file: Pick<RotatingLog, 'add'>) => void;
}

/** A log driver on rotating files that reads back and follows. */
export function makeFileLogDriver(parts: FileLogDriverParts, log: Logger): LogDriver {
  const { parseOptions, pathOf, format } = parts;
  const live = new Map<string, RotatingLog>();
  return {
    validate(options) {
      parseOptions(options);
    },

    async open(info) {
      const options = parseOptions(info.options);
      const encode = parts.encoder(info);
      const path = pathOf(info);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const file = await RotatingLog.open(path, options, format, log);
      live.set(path, file);
      return {
        write(batch) {
          encode(batch, file);
          // Whoever lets go of output when it is written must not do so earlier.
          return file.stored();
        },
        flush: () => file.flush(),
        async close() {
          await file.close();
          if (live.get(path) === file) live.delete(path);
        },
      };
    },

    read: (info, options, signal) => readLog(pathOf(info), live.get(pathOf(info)), format, options, signal),

    async remove(info) {
      const path = pathOf(info);
      await live.get(path)?.close();
      live.delete(path);
      await removeLogFiles(path);
    },
  };
}

import type { LogBatch, LogDriver, Logger, LogInfo, LogWriter } from '@gantry/sdk';
import { formatTime } from './log-time';
import { extraAttributes, parseOptions } from './options';
import { readLog } from './read/read-log';
import { encodeLines, type TakeText } from './write/json-line';
import { removeFiles } from './write/rotated-files';
import { RotatingLog } from './write/rotating-log';

/** The driver `json-file`: one JSON object per line, in the file that dockerd would write, in its format. */
export function makeJsonFileDriver(log: Logger): LogDriver {
  const live = new Map<string, RotatingLog>();
  return {
    validate(options) {
      parseOptions(options);
    },

    async open(info) {
      const file = await RotatingLog.open(info.logPath, parseOptions(info.options), log);
      live.set(info.logPath, file);
      return writerOf(file, info, () => {
        if (live.get(info.logPath) === file) live.delete(info.logPath);
      });
    },

    read: (info, options, signal) => readLog(info.logPath, live.get(info.logPath), options, signal),

    async remove(info) {
      await live.get(info.logPath)?.close();
      live.delete(info.logPath);
      await removeFiles(info.logPath);
    },
  };
}

function writerOf(file: RotatingLog, info: LogInfo, onClose: () => void): LogWriter {
  const attributes = extraAttributes(info);
  const take: TakeText = (text, encoding) => file.add(text, encoding);
  return {
    write({ data, source, timeNs }: LogBatch) {
      encodeLines(data, source, attributes, formatTime(timeNs), take);
      return file.room();
    },
    flush: () => file.flush(),
    async close() {
      await file.close();
      onClose();
    },
  };
}

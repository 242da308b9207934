import type { Logger } from '@gantry/sdk';
import { type LogLevel, logLevels } from '../config/keys/process';
import { jsonLines } from './json-lines';
import { textLine } from './text-line';

export type LogFormat = 'text' | 'json';
type Fields = Record<string, unknown>;
type WriteLine = (level: LogLevel, message: string, fields: Fields | undefined) => void;

/** The daemon's own log: a plain Logger for everyone, and what only the composition root may do with it. */
export interface DaemonLog extends Logger {
  /** For what ends the process. */
  fatal(message: string, fields?: Fields): void;
  level(): LogLevel;
  /** Takes effect at once for this logger and all its children. */
  setLevel(level: LogLevel): void;
}

/**
 * @param write  takes whole lines; the default is stderr, which Node writes synchronously to files and pipes, so
 *               that the last words before an exit are not lost
 */
export function createLog(
  format: LogFormat,
  level: LogLevel,
  write: (line: string) => void = (line) => {
    process.stderr.write(line);
  },
): DaemonLog {
  const threshold = { level };
  const writeLine: WriteLine =
    format === 'json' ? jsonLines(write) : (at, message, fields) => write(textLine(new Date(), at, message, fields));
  return new LevelLog(threshold, writeLine, undefined);
}

class LevelLog implements DaemonLog {
  constructor(
    private readonly threshold: { level: LogLevel },
    private readonly writeLine: WriteLine,
    private readonly bound: Fields | undefined,
  ) {}

  debug(message: string, fields?: Fields): void {
    this.log('debug', message, fields);
  }
  info(message: string, fields?: Fields): void {
    this.log('info', message, fields);
  }
  warn(message: string, fields?: Fields): void {
    this.log('warn', message, fields);
  }
  error(message: string, fields?: Fields): void {
    this.log('error', message, fields);
  }
  fatal(message: string, fields?: Fields): void {
    this.log('fatal', message, fields);
  }

  child(fields: Fields): Logger {
    return new LevelLog(this.threshold, this.writeLine, { ...this.bound, ...fields });
  }

  level(): LogLevel {
    return this.threshold.level;
  }

  setLevel(level: LogLevel): void {
    this.threshold.level = level;
  }

  private log(level: LogLevel, message: string, fields: Fields | undefined): void {
    if (logLevels.indexOf(level) < logLevels.indexOf(this.threshold.level)) return;
    this.writeLine(level, message, this.bound ? { ...this.bound, ...fields } : fields);
  }
}

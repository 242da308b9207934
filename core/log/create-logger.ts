import type { Logger } from '@gantry/sdk';
import { type LogLevel, logLevels } from '../config/keys/process';
import { isJournal, journalPrefix } from './journal';
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
  /** The same, for the form of the lines. */
  setFormat(format: LogFormat): void;
}

/** What a logger and all its children share. */
interface Sink {
  level: LogLevel;
  writeLine: WriteLine;
}

/**
 * @param write  takes whole lines; the default is stderr, which Node writes synchronously to files and pipes, so
 *               that the last words before an exit are not lost. The journal is told how severe each line is.
 */
export function createLog(
  format: LogFormat,
  level: LogLevel,
  write: (line: string, level: LogLevel) => void = stderrWriter(),
): DaemonLog {
  const sink = { level, writeLine: lineWriter(format, write) };
  return new LevelLog(sink, (next) => {
    sink.writeLine = lineWriter(next, write);
  });
}

function stderrWriter(): (line: string, level: LogLevel) => void {
  if (!isJournal()) return (line) => void process.stderr.write(line);
  return (line, level) => void process.stderr.write(journalPrefix(level) + line);
}

function lineWriter(format: LogFormat, write: (line: string, level: LogLevel) => void): WriteLine {
  if (format === 'json') return jsonLines(write);
  return (at, message, fields) => write(textLine(new Date(), at, message, fields), at);
}

class LevelLog implements DaemonLog {
  constructor(
    private readonly sink: Sink,
    readonly setFormat: (format: LogFormat) => void,
    private readonly bound?: Fields,
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
    return new LevelLog(this.sink, this.setFormat, { ...this.bound, ...fields });
  }

  level(): LogLevel {
    return this.sink.level;
  }

  setLevel(level: LogLevel): void {
    this.sink.level = level;
  }

  private log(level: LogLevel, message: string, fields: Fields | undefined): void {
    if (logLevels.indexOf(level) < logLevels.indexOf(this.sink.level)) return;
    this.sink.writeLine(level, message, this.bound ? { ...this.bound, ...fields } : fields);
  }
}

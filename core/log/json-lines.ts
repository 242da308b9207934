import type { LogLevel } from '../config/keys/process';

/** Structured lines by pino, under the names dockerd uses: `level`, `msg`, `time`. */
export function jsonLines(write: (line: string, level: LogLevel) => void) {
  // Loaded only when it is asked for: it is a tenth of the time to boot.
  const { pino } = require('pino') as typeof import('pino');
  const log = pino(
    {
      level: 'debug',
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label === 'warn' ? 'warning' : label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    { write: (line) => write(line, current) },
  );
  // pino writes before it returns.
  let current: LogLevel = 'info';
  return (level: LogLevel, message: string, fields: Record<string, unknown> | undefined): void => {
    current = level;
    if (fields) log[level](fields, message);
    else log[level](message);
  };
}

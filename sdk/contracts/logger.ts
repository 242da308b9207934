import { capability } from '../plugin/capability';

/** A structured log line. Never put secrets or whole request bodies into `fields`. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A logger that adds these fields to each line. */
  child(fields: Record<string, unknown>): Logger;
}

export const Logger1 = capability<Logger>('logger/v1');

import { fstatSync } from 'node:fs';
import type { LogLevel } from '../config/keys/process';

/** Priorities of syslog. @see sd-daemon(3) */
const priorities: Readonly<Record<LogLevel, number>> = { debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

/** In front of a line it tells the journal how severe it is; the journal takes it off again. */
export const journalPrefix = (level: LogLevel): string => `<${priorities[level]}>`;

/**
 * Whether a descriptor is the journal's, so that the prefix has a reader. A stream that was redirected afterwards is
 * not. @see systemd.exec(5), JOURNAL_STREAM
 */
export function isJournal(
  stream = process.env.JOURNAL_STREAM,
  identity: () => { dev: bigint; ino: bigint } = () => fstatSync(2, { bigint: true }),
): boolean {
  if (!stream) return false;
  try {
    const { dev, ino } = identity();
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

import type { LogLevel } from '../config/keys/process';

/** `time="2026-01-02T03:04:05.678901234Z" level=info msg="…" key=value`, as logrus writes it without a terminal. */
export function textLine(
  time: Date,
  level: LogLevel,
  message: string,
  fields: Readonly<Record<string, unknown>> | undefined,
): string {
  let line = `time="${time.toISOString()}" level=${level === 'warn' ? 'warning' : level} msg=${quoted(message, true)}`;
  for (const [name, value] of Object.entries(fields ?? {}))
    if (value !== undefined) line += ` ${name}=${quoted(plain(value), false)}`;
  return `${line}\n`;
}

function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.stack ?? value.message;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return String(value);
}

const quoted = (text: string, always: boolean) =>
  !always && /^[\w\-./@^+:]+$/.test(text) ? text : JSON.stringify(text);

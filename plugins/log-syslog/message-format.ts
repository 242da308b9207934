import { hostname } from 'node:os';
import { invalidParameter, type LogSource } from '@gantry/sdk';

/** One message, without its line end. `tag` names the container. */
export interface SyslogMessage {
  readonly facility: number;
  readonly source: LogSource;
  readonly timeNs: bigint;
  readonly tag: string;
  readonly text: Buffer;
}

const ERROR = 3;
const INFORMATION = 6;
const DAEMON = 3;
const facilities = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['', '', '', '', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
];

/** A name or a number from 0 to 23. @throws invalid-parameter in dockerd's words */
export function parseFacility(text: string | undefined): number {
  if (text === undefined || text === '') return DAEMON;
  const named = facilities.indexOf(text);
  if (named >= 0) return named;
  if (/^\d+$/.test(text) && Number(text) <= 23) return Number(text);
  throw invalidParameter('invalid syslog facility');
}

const head: Readonly<Record<string, (message: SyslogMessage, priority: number) => string>> = {
  '': ({ timeNs, tag }, priority) => `<${priority}>${stamp(timeNs)} ${tag}[${process.pid}]: `,
  rfc3164: ({ timeNs, tag }, priority) => `<${priority}>${stamp(timeNs)} ${hostname()} ${tag}[${process.pid}]: `,
  rfc5424: (message, priority) => rfc5424(message, priority, isoTime(message.timeNs, 0)),
  rfc5424micro: (message, priority) => rfc5424(message, priority, isoTime(message.timeNs, 6)),
};

/** @throws invalid-parameter in dockerd's words */
export function checkFormat(format: string): void {
  if (!(format in head)) throw invalidParameter('Invalid syslog format');
}

/**
 * Encodes as dockerd does, line end included.
 *
 * @param counted  octet counting before each message, as RFC 5425 asks over TLS
 */
export function encodeMessage(format: string, message: SyslogMessage, counted: boolean): Buffer {
  const priority = message.facility * 8 + (message.source === 'stderr' ? ERROR : INFORMATION);
  const start = Buffer.from(head[format]!(message, priority));
  const body = Buffer.concat([start, message.text, Buffer.from('\n')]);
  return counted ? Buffer.concat([Buffer.from(`${body.length} `), body]) : body;
}

function rfc5424({ tag }: SyslogMessage, priority: number, time: string): string {
  return `<${priority}>1 ${time} ${hostname()} ${tag} ${process.pid} ${tag} - `;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number) => String(value).padStart(2, '0');

/** `Jan  2 15:04:05` in the host's time zone. */
function stamp(timeNs: bigint): string {
  const time = new Date(Number(timeNs / 1_000_000n));
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return `${months[time.getMonth()]} ${String(time.getDate()).padStart(2)} ${clock}`;
}

/** RFC 3339 in the host's time zone. */
function isoTime(timeNs: bigint, decimals: number): string {
  const time = new Date(Number(timeNs / 1_000_000n));
  const offset = -time.getTimezoneOffset();
  const local = new Date(time.getTime() + offset * 60_000).toISOString().slice(0, 19);
  const fraction =
    decimals === 0
      ? ''
      : `.${String(timeNs % 1_000_000_000n)
          .padStart(9, '0')
          .slice(0, decimals)}`;
  if (offset === 0) return `${local}${fraction}Z`;
  const minutes = Math.abs(offset);
  return `${local}${fraction}${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

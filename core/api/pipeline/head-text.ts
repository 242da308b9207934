import type { AnswerHeaders } from './server-headers';

/** Headers by which Node decides how it frames an answer and what becomes of the connection. */
const framing = new Set([
  'connection',
  'content-length',
  'date',
  'expect',
  'keep-alive',
  'trailer',
  'transfer-encoding',
]);
const plainName = /^[\w!#$%&'*+.^`|~-]+$/;
const plainValue = /^[\t\x20-\x7e]*$/;

const known = new WeakMap<AnswerHeaders, string>();

/**
 * Headers as they are written, each line with its end.
 *
 * @param headers  what is frozen is looked at once
 * @returns undefined for what is better left to Node: framing, several values, values to be encoded or refused
 */
export function headText(headers: AnswerHeaders): string | undefined {
  const before = known.get(headers);
  if (before !== undefined) return before;
  let text = '';
  for (const name in headers) {
    const line = headLine(name, headers[name]!);
    if (line === undefined || framing.has(name.toLowerCase())) return undefined;
    text += line;
  }
  if (Object.isFrozen(headers)) known.set(headers, text);
  return text;
}

/** One header, likewise. */
export function headLine(name: string, value: string): string | undefined {
  if (typeof value !== 'string' || !plainName.test(name) || !plainValue.test(value)) return undefined;
  return `${name}: ${value}\r\n`;
}

let date = '';
let dateIsOfMs = 0;

/** The `Date` header of an answer sent now. */
export function dateLine(): string {
  const nowMs = Date.now();
  const secondMs = nowMs - (nowMs % 1000);
  if (secondMs !== dateIsOfMs) {
    dateIsOfMs = secondMs;
    date = `Date: ${new Date(nowMs).toUTCString()}\r\n`;
  }
  return date;
}

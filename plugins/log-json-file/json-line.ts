import { isAscii } from 'node:buffer';
import type { LogSource } from '@gantry/sdk';

const NEWLINE = 10;

/** What Go's encoder escapes beside broken UTF-8; everything else stands for itself. */
const specials = /["\\<>&\x00-\x1f\u2028\u2029]/g;

const escapes = new Map<string, string>([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
]);

function escapeOf(character: string): string {
  let escaped = escapes.get(character);
  if (escaped === undefined) {
    escaped = `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    escapes.set(character, escaped);
  }
  return escaped;
}

/** Takes encoded text; `latin1` means that it is ASCII, which is quicker to write. */
export type TakeText = (text: string, encoding: 'latin1' | 'utf8') => void;

/** Lines per piece of text: long texts are much slower to put together than a few shorter ones. */
const LINES_PER_TEXT = 256;

/**
 * Encodes lines as dockerd's json-file driver does: one object per line of output, byte for byte the same.
 *
 * @param data        whole lines, or one piece of a line without its newline
 * @param attributes  a JSON object, or empty
 * @param take        called with whole lines of the file, in order
 */
export function encodeLines(data: Buffer, source: LogSource, attributes: string, time: string, take: TakeText): void {
  const attrs = attributes === '' ? '' : `"attrs":${attributes},`;
  const end = `","stream":"${source}",${attrs}"time":"${time}"}\n`;
  const whole = data[data.length - 1] === NEWLINE;
  const length = whole ? data.length - 1 : data.length;
  const encoding = isAscii(data) && isPlainAscii(attrs) ? 'latin1' : 'utf8';
  const text = data.toString(encoding, 0, length);
  const { escaped, separator } = text.includes('\ufffd')
    ? { escaped: escapeBytes(data.subarray(0, length)), separator: '\n' }
    : escapeText(text, hasControl(data, length));

  let out = '';
  let start = 0;
  let lines = 0;
  for (let at = escaped.indexOf(separator); at >= 0; at = escaped.indexOf(separator, start)) {
    out += `{"log":"${escaped.slice(start, at)}\\n${end}`;
    start = at + separator.length;
    if (++lines < LINES_PER_TEXT) continue;
    take(out, encoding);
    out = '';
    lines = 0;
  }
  take(`${out}{"log":"${escaped.slice(start)}${whole ? '\\n' : ''}${end}`, encoding);
}

/** The JavaScript engine's own encoder does the work wherever it agrees with Go's. */
function escapeText(text: string, hasControlCharacters: boolean): { escaped: string; separator: string } {
  const hasBackslash = text.includes('\\');
  if (!hasBackslash && !hasControlCharacters && !text.includes('"'))
    return { escaped: escapeForHtml(text), separator: '\n' };
  // There it writes short forms that Go does not know.
  if (hasControlCharacters) return { escaped: escapeBetweenLines(text), separator: '\n' };
  // Without a backslash in the text, each escape stands for one character, and `\n` for the end of a line.
  if (!hasBackslash) return { escaped: escapeForHtml(JSON.stringify(text).slice(1, -1)), separator: '\\n' };
  const lines = text.split('\n').map((line) => JSON.stringify(line).slice(1, -1));
  return { escaped: escapeForHtml(lines.join('\n')), separator: '\n' };
}

function escapeForHtml(text: string): string {
  let out = text;
  if (out.includes('<')) out = out.replace(/</g, '\\u003c');
  if (out.includes('>')) out = out.replace(/>/g, '\\u003e');
  if (out.includes('&')) out = out.replace(/&/g, '\\u0026');
  if (out.includes('\u2028')) out = out.replace(/\u2028/g, '\\u2028');
  if (out.includes('\u2029')) out = out.replace(/\u2029/g, '\\u2029');
  return out;
}

/** Escapes all but the newlines, which separate the lines still. */
function escapeBetweenLines(text: string): string {
  return text.replace(specials, (character) => (character === '\n' ? character : escapeOf(character)));
}

const isPlainAscii = (text: string) => !/[^\x00-\x7f]/.test(text);

/** Whether there is a control character other than the newline. Looks at four bytes at once, for speed. */
function hasControl(data: Buffer, length: number): boolean {
  const aligned = Math.min((4 - (data.byteOffset & 3)) & 3, length);
  if (hasControlIn(data, 0, aligned)) return true;
  const words = new Int32Array(data.buffer, data.byteOffset + aligned, (length - aligned) >> 2);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (((word - 0x20202020) & ~word & 0x80808080) === 0) continue;
    if (hasControlIn(data, aligned + i * 4, aligned + i * 4 + 4)) return true;
  }
  return hasControlIn(data, aligned + words.length * 4, length);
}

function hasControlIn(data: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (data[at]! < 0x20 && data[at] !== NEWLINE) return true;
  return false;
}

/** The slow way, for what is not UTF-8 throughout: each byte that belongs to no character becomes `\ufffd`. */
function escapeBytes(data: Buffer): string {
  let out = '';
  let at = 0;
  while (at < data.length) {
    const size = characterSize(data, at);
    if (size === 0) {
      out += '\\ufffd';
      at++;
    } else {
      out += escapeBetweenLines(data.toString('utf8', at, at + size));
      at += size;
    }
  }
  return out;
}

/** Bytes of the UTF-8 character that starts here, 0 when none does. */
function characterSize(data: Buffer, at: number): number {
  const first = data[at]!;
  if (first < 0x80) return 1;
  const size =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (size === 0 || at + size > data.length) return 0;
  const second = data[at + 1]!;
  // Overlong forms, surrogates and what lies beyond the last code point.
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < size; i++) if ((data[at + i]! & 0xc0) !== 0x80) return 0;
  return size;
}

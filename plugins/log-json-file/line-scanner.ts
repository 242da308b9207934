import type { LogEntry, LogSource } from '@gantry/sdk';
import { parseTime } from '@gantry/sdk/log-drivers';

const HEAD = '{"log":"';
const STREAM = '","stream":"std';
const TIME = '","time":"';
/** `","stream":"stdout","time":"`, from the end of the text to the start of the time. */
const MIDDLE_LENGTH = STREAM.length + 3 + TIME.length;
/** A text larger than this is no ordinary object for V8, but memory mapped for it alone. */
const TEXT_BYTES = 96 * 1024;
const QUOTE = 34;
const BACKSLASH = 92;
const NEWLINE = 10;
const BRACE = 125;
const LOWER_N = 110;
const LOWER_O = 111;
const LOWER_R = 114;
const LOWER_U = 117;

class PlainEntry implements LogEntry {
  constructor(
    readonly source: LogSource,
    readonly line: Buffer,
    private readonly time: string,
  ) {}

  // Most readers never ask for it.
  get timeNs(): bigint {
    return parseTime(this.time) ?? 0n;
  }
}

/**
 * Reads the whole lines of `data` up to `end`. Lines that are no log entry, such as one broken by a crash,
 * are left out. The entries share the memory of `data`, which is changed.
 */
export function scanLines(data: Buffer, end: number): LogEntry[] {
  const entries: LogEntry[] = [];
  for (let from = 0; from < end; ) {
    const newline = from + TEXT_BYTES < end ? data.lastIndexOf(NEWLINE, from + TEXT_BYTES) : -1;
    const to = newline < from ? end : newline + 1;
    scanText(data, from, data.toString('latin1', from, to), entries);
    from = to;
  }
  return entries;
}

/** @param text the bytes of `data` from `offset` on, one character each */
function scanText(data: Buffer, offset: number, text: string, entries: LogEntry[]): void {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    if (newline < 0) break;
    const entry = scanUsual(data, offset, text, start, newline) ?? parseUnusual(data, offset + start, offset + newline);
    if (entry !== undefined) entries.push(entry);
    start = newline + 1;
  }
}

/** The shape that dockerd and we write when there are no attributes. Undefined for any other. */
function scanUsual(data: Buffer, offset: number, text: string, start: number, newline: number): LogEntry | undefined {
  if (text.charCodeAt(newline - 1) !== BRACE || text.charCodeAt(newline - 2) !== QUOTE) return undefined;
  const timeStart = text.lastIndexOf('"', newline - 3) + 1;
  const contentStart = start + HEAD.length;
  const contentEnd = timeStart - MIDDLE_LENGTH;
  if (contentEnd < contentStart) return undefined;
  if (!text.startsWith(HEAD, start) || !text.startsWith(STREAM, contentEnd)) return undefined;
  if (!text.startsWith(TIME, timeStart - TIME.length)) return undefined;
  const source: LogSource = text.charCodeAt(contentEnd + STREAM.length) === LOWER_O ? 'stdout' : 'stderr';
  const time = text.slice(timeStart, newline - 2);
  const backslash = text.indexOf('\\', contentStart);
  let lineEnd: number;
  const quote = text.indexOf('"', contentStart);
  if (quote === contentEnd && (backslash < 0 || backslash >= contentEnd - 2)) {
    lineEnd = contentEnd;
    if (backslash === contentEnd - 2) {
      if (text.charCodeAt(contentEnd - 1) !== LOWER_N) return undefined;
      data[offset + backslash] = NEWLINE;
      lineEnd = contentEnd - 1;
    } else if (backslash === contentEnd - 1) return undefined;
  } else {
    if (backslash < 0 || quote < backslash) return undefined;
    lineEnd = unescapeInPlace(data, offset, text, backslash, contentEnd);
    if (lineEnd < 0) return undefined;
  }
  return new PlainEntry(source, data.subarray(offset + contentStart, offset + lineEnd), time);
}

/** Returns where the decoded text ends, or -1 for what a general parser must look at (then nothing was changed). */
function unescapeInPlace(data: Buffer, offset: number, text: string, from: number, end: number): number {
  if (!isSimple(text, from, end)) return -1;
  let out = offset + from;
  for (let at = from; at < end; ) {
    const code = text.charCodeAt(at++);
    if (code !== BACKSLASH) {
      data[out++] = code;
      continue;
    }
    const letter = text.charCodeAt(at++);
    if (letter === LOWER_N) data[out++] = NEWLINE;
    else if (letter === LOWER_R) data[out++] = 13;
    else if (letter === LOWER_U) {
      const character = Number.parseInt(text.slice(at, at + 4), 16);
      at += 4;
      if (character < 0x80) data[out++] = character;
      else if (character < 0x800) {
        data[out++] = 0xc0 | (character >> 6);
        data[out++] = 0x80 | (character & 0x3f);
      } else {
        data[out++] = 0xe0 | (character >> 12);
        data[out++] = 0x80 | ((character >> 6) & 0x3f);
        data[out++] = 0x80 | (character & 0x3f);
      }
    } else data[out++] = letter;
  }
  return out - offset;
}

/** Only escapes that Go writes, and no quote that would end the text early. */
function isSimple(text: string, from: number, end: number): boolean {
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return false;
    if (code !== BACKSLASH) continue;
    const letter = text.charCodeAt(++at);
    if (letter === LOWER_U) {
      // Halves of surrogate pairs do not stand for themselves.
      if (at + 4 >= end || !/^(?!d[89a-f])[0-9a-f]{4}$/i.test(text.slice(at + 1, at + 5))) return false;
      at += 4;
    } else if (at >= end || ![QUOTE, BACKSLASH, LOWER_N, LOWER_R].includes(letter)) return false;
  }
  return true;
}

interface JsonLine {
  readonly log?: unknown;
  readonly stream?: unknown;
  readonly attrs?: unknown;
  readonly time?: unknown;
}

function parseUnusual(data: Buffer, start: number, newline: number): LogEntry | undefined {
  let value: JsonLine | null;
  try {
    value = JSON.parse(data.toString('utf8', start, newline)) as JsonLine | null;
  } catch {
    return undefined;
  }
  const timeNs = typeof value?.time === 'string' ? parseTime(value.time) : undefined;
  if (timeNs === undefined || typeof value?.log !== 'string') return undefined;
  return {
    source: value.stream === 'stderr' ? 'stderr' : 'stdout',
    timeNs,
    line: Buffer.from(value.log),
    ...(value.attrs ? { attributes: value.attrs as Record<string, string> } : {}),
  };
}

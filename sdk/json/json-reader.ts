import { ExactNumber } from './exact-number';
import { JsonSyntaxError } from './parse-json';

interface Open {
  readonly into: unknown[] | Record<string, unknown>;
  key: string;
}

const literals: readonly (readonly [text: string, value: unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const plainString = /"[^"\\\u0000-\u001f]*"/y;

/** Reads one JSON document with Go's words for what is wrong. Nesting costs no stack. */
export class JsonReader {
  private at = 0;

  constructor(private readonly text: string) {}

  /** @throws JsonSyntaxError */
  readDocument(): unknown {
    const value = this.readValue();
    this.skipSpace();
    if (this.at < this.text.length) throw new JsonSyntaxError('unexpected content after JSON');
    return value;
  }

  private readValue(): unknown {
    const open: Open[] = [];
    for (;;) {
      this.skipSpace();
      let value: unknown;
      const start = this.text[this.at];
      if (start === '{') {
        this.at++;
        const into: Record<string, unknown> = {};
        if (!this.closes('}')) {
          open.push({ into, key: this.readKey() });
          continue;
        }
        value = into;
      } else if (start === '[') {
        this.at++;
        const into: unknown[] = [];
        if (!this.closes(']')) {
          open.push({ into, key: '' });
          continue;
        }
        value = into;
      } else value = this.readScalar(start);

      // The value belongs to the innermost of what is open, and may be the last of it.
      for (;;) {
        const inner = open.at(-1);
        if (inner === undefined) return value;
        const isList = Array.isArray(inner.into);
        if (isList) (inner.into as unknown[]).push(value);
        else put(inner.into as Record<string, unknown>, inner.key, value);
        this.skipSpace();
        const next = this.text[this.at];
        if (next === ',') {
          this.at++;
          if (!isList) {
            this.skipSpace();
            inner.key = this.readKey();
          }
          break;
        }
        if (next !== (isList ? ']' : '}'))
          throw this.wrong(isList ? 'after array element' : 'after object key:value pair');
        this.at++;
        value = inner.into;
        open.pop();
      }
    }
  }

  private closes(bracket: string): boolean {
    this.skipSpace();
    if (this.text[this.at] !== bracket) return false;
    this.at++;
    return true;
  }

  private readKey(): string {
    if (this.text[this.at] !== '"') throw this.wrong('looking for beginning of object key string');
    const key = this.readString();
    this.skipSpace();
    if (this.text[this.at] !== ':') throw this.wrong('after object key');
    this.at++;
    return key;
  }

  private readScalar(start: string | undefined): unknown {
    if (start === '"') return this.readString();
    if (start === '-' || (start !== undefined && start >= '0' && start <= '9')) return this.readNumber();
    for (const [text, value] of literals) {
      if (start !== text[0]) continue;
      for (const letter of text) {
        if (this.text[this.at] !== letter) throw this.wrong(`in literal ${text} (expecting '${letter}')`);
        this.at++;
      }
      return value;
    }
    throw this.wrong('looking for beginning of value');
  }

  private readNumber(): number | ExactNumber {
    number.lastIndex = this.at;
    const text = number.exec(this.text)?.[0];
    if (text === undefined) {
      this.at++;
      throw this.wrong('in numeric literal');
    }
    this.at += text.length;
    const next = this.text[this.at];
    if (next === '.') {
      this.at++;
      throw this.wrong('after decimal point in numeric literal');
    }
    if ((next === 'e' || next === 'E') && !/[eE]/.test(text)) {
      this.at += /[+-]/.test(this.text[this.at + 1] ?? '') ? 2 : 1;
      throw this.wrong('in exponent of numeric literal');
    }
    const value = Number(text);
    const isPlain = /[.eE]/.test(text) ? !Number.isInteger(value) : Number.isSafeInteger(value);
    return isPlain ? value : new ExactNumber(text);
  }

  private readString(): string {
    plainString.lastIndex = this.at;
    const plain = plainString.exec(this.text)?.[0];
    if (plain !== undefined) {
      this.at += plain.length;
      return plain.slice(1, -1);
    }
    const start = this.at;
    for (this.at++; ; this.at++) {
      const letter = this.text[this.at];
      if (letter === '"') break;
      if (letter === undefined || letter < ' ') throw this.wrong('in string literal');
      if (letter !== '\\') continue;
      this.at++;
      if (this.text[this.at] === 'u') {
        for (let digit = 0; digit < 4; digit++) {
          this.at++;
          if (!/[0-9a-f]/i.test(this.text[this.at] ?? '')) throw this.wrong('in \\u hexadecimal character escape');
        }
      } else if (!'"\\/bfnrt'.includes(this.text[this.at] ?? '?')) throw this.wrong('in string escape code');
    }
    this.at++;
    return JSON.parse(this.text.slice(start, this.at)) as string;
  }

  private skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
      this.at++;
    }
  }

  private wrong(where: string): JsonSyntaxError {
    const letter = this.text.codePointAt(this.at);
    if (letter === undefined) return new JsonSyntaxError('unexpected EOF');
    return new JsonSyntaxError(`invalid character ${quoted(String.fromCodePoint(letter))} ${where}`);
  }
}

/** As in a Go program: the last of several equal keys counts, and comes after those before it. */
function put(into: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(into, key, { value, enumerable: true, configurable: true, writable: true });
    return;
  }
  if (Object.hasOwn(into, key)) delete into[key];
  into[key] = value;
}

function quoted(letter: string): string {
  if (letter === "'") return `'\\''`;
  if (letter === '"') return `'"'`;
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\x00' };
  const code = letter.charCodeAt(0);
  return `'${escapes[letter] ?? (code < 32 ? `\\x${code.toString(16).padStart(2, '0')}` : letter)}'`;
}

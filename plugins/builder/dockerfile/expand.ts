import { invalidParameter } from '@gantry/sdk';

/** The value of a variable, or undefined when it is not set. */
export type Variables = (name: string) => string | undefined;

/**
 * Replaces variables in a word and resolves its quotes and escapes.
 *
 * @throws invalid-parameter  a malformed `${…}`, or a `?` operator whose variable is missing
 * @see Dockerfile reference, "Environment replacement"
 */
export function expandWord(word: string, variables: Variables, escapeChar: string): string {
  return new Expansion(word, variables, escapeChar).all().join(' ');
}

/** As `expandWord`; blanks outside quotes, those in values included, separate words. */
export function expandWords(text: string, variables: Variables, escapeChar: string): string[] {
  return new Expansion(text, variables, escapeChar, true).all();
}

/** Replaces variables and leaves quotes as they are: for here-documents. */
export function expandText(text: string, variables: Variables, escapeChar: string): string {
  return new Expansion(text, variables, escapeChar, false, true).all()[0] ?? '';
}

const special = /[@*#?$!0-9-]/;

class Expansion {
  private at = 0;
  private readonly words: string[] = [];
  private word: string | undefined;

  constructor(
    private readonly text: string,
    private readonly variables: Variables,
    private readonly escapeChar: string,
    private readonly splits = false,
    private readonly keepsQuotes = false,
  ) {}

  all(): string[] {
    this.until('');
    this.endWord();
    return this.words;
  }

  /** Reads up to an unquoted `stop` or the end. @returns what it read, for nested words */
  private until(stop: string): string {
    let out = '';
    const put = (piece: string, quoted: boolean) => {
      out += piece;
      if (stop === '') this.append(piece, quoted);
    };
    while (this.at < this.text.length) {
      const char = this.text[this.at]!;
      if (char === stop) {
        this.at++;
        return out;
      }
      if (char === "'" && !this.keepsQuotes) put(this.singleQuoted(), true);
      else if (char === '"' && !this.keepsQuotes) put(this.doubleQuoted(), true);
      else if (char === '$') put(this.dollar(), false);
      else if (char === this.escapeChar) put(this.escaped(), true);
      else {
        this.at++;
        put(char, false);
      }
    }
    if (stop !== '') throw invalidParameter(`syntax error: missing '${stop}'`);
    return out;
  }

  private append(piece: string, quoted: boolean): void {
    if (quoted || !this.splits) {
      this.word = (this.word ?? '') + piece;
      return;
    }
    for (const char of piece) {
      if (/\s/.test(char)) this.endWord();
      else this.word = (this.word ?? '') + char;
    }
  }

  private endWord(): void {
    if (this.word !== undefined) this.words.push(this.word);
    this.word = undefined;
  }

  private escaped(): string {
    const next = this.text[this.at + 1];
    // A here-document keeps escapes of anything that is not a variable.
    if (this.keepsQuotes && next !== '$') {
      const both = this.text.slice(this.at, this.at + 2);
      this.at += 2;
      return both;
    }
    this.at += 2;
    return next ?? this.escapeChar;
  }

  private singleQuoted(): string {
    const end = this.text.indexOf("'", this.at + 1);
    if (end < 0) throw invalidParameter('unexpected end of statement while looking for matching single-quote');
    const inside = this.text.slice(this.at + 1, end);
    this.at = end + 1;
    return inside;
  }

  private doubleQuoted(): string {
    let out = '';
    this.at++;
    while (this.at < this.text.length) {
      const char = this.text[this.at]!;
      if (char === '"') {
        this.at++;
        return out;
      }
      if (char === '$') {
        out += this.dollar();
        continue;
      }
      if (char === this.escapeChar) {
        const next = this.text[this.at + 1];
        // Only these lose their escape in double quotes.
        if (next === '"' || next === '$' || next === this.escapeChar) {
          out += next;
          this.at += 2;
          continue;
        }
      }
      out += char;
      this.at++;
    }
    throw invalidParameter('unexpected end of statement while looking for matching double-quote');
  }

  private dollar(): string {
    this.at++;
    if (this.text[this.at] !== '{') {
      const name = this.name();
      return name === '' ? '$' : (this.variables(name) ?? '');
    }
    this.at++;
    if (this.text[this.at] === '}') throw this.badSubstitution();
    const name = this.name();
    if (name === '') throw this.badSubstitution();
    const operator = this.text[this.at];
    this.at++;
    const value = this.variables(name);
    switch (operator) {
      case '}':
        return value ?? '';
      case ':': {
        const kind = this.text[this.at] ?? '';
        this.at++;
        return this.conditional(name, value === '' ? undefined : value, kind, `:${kind}`);
      }
      case '-':
      case '+':
      case '?':
        return this.conditional(name, value, operator, operator);
      case '#':
      case '%': {
        const greedy = this.text[this.at] === operator;
        if (greedy) this.at++;
        const pattern = this.pattern('}');
        return operator === '#' ? trimPrefix(value ?? '', pattern, greedy) : trimSuffix(value ?? '', pattern, greedy);
      }
      case '/': {
        const all = this.text[this.at] === '/';
        if (all) this.at++;
        const pattern = this.pattern('/');
        const replacement = this.until('}');
        const expression = new RegExp(globSource(pattern, true), all ? 'gs' : 's');
        return pattern === '' ? (value ?? '') : (value ?? '').replace(expression, () => replacement);
      }
      case undefined:
        throw invalidParameter("syntax error: missing '}'");
      default:
        throw this.badSubstitution(operator);
    }
  }

  private conditional(name: string, value: string | undefined, kind: string, shown: string): string {
    if (!'-+?'.includes(kind) || kind === '') throw this.badSubstitution(shown);
    const word = this.until('}');
    if (kind === '+') return value === undefined ? '' : word;
    if (value !== undefined) return value;
    if (kind === '-') return word;
    const fault = shown === '?' ? 'is not allowed to be unset' : 'is not allowed to be empty';
    throw invalidParameter(`${name}: ${word === '' ? fault : word}`);
  }

  /** A pattern up to `stop`: its variables are replaced, its escapes stay for the matcher. */
  private pattern(stop: string): string {
    let out = '';
    while (this.at < this.text.length) {
      const char = this.text[this.at]!;
      if (char === stop) {
        this.at++;
        return out;
      }
      if (char === '$') out += this.dollar();
      else if (char === "'") out += escapeGlob(this.singleQuoted());
      else if (char === '"') out += escapeGlob(this.doubleQuoted());
      else if (char === this.escapeChar) {
        out += `\\${this.text[this.at + 1] ?? ''}`;
        this.at += 2;
      } else {
        out += char;
        this.at++;
      }
    }
    throw invalidParameter(`syntax error: missing '${stop}'`);
  }

  private name(): string {
    const rest = this.text.slice(this.at);
    const word = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest)?.[0];
    const name = word ?? (special.test(rest[0] ?? '') ? rest[0]! : '');
    this.at += name.length;
    return name;
  }

  private badSubstitution(operator?: string): Error {
    return operator === undefined
      ? invalidParameter(`bad substitution in "${this.text}"`)
      : invalidParameter(`unsupported modifier (${operator}) in substitution`);
  }
}

const escapeGlob = (text: string) => text.replace(/[\\*?]/g, '\\$&');

function globSource(pattern: string, greedy: boolean): string {
  return pattern.replace(/\\(.)|[\s\S]/g, (char, escaped: string | undefined) => {
    if (escaped !== undefined) return escaped.replace(/[.*+?^${}()|[\]\\]/, '\\$&');
    if (char === '*') return greedy ? '.*' : '.*?';
    if (char === '?') return '.';
    return char.replace(/[.*+?^${}()|[\]\\]/, '\\$&');
  });
}

function trimPrefix(value: string, pattern: string, greedy: boolean): string {
  const match = new RegExp(`^(?:${globSource(pattern, greedy)})`, 's').exec(value);
  return match === null ? value : value.slice(match[0].length);
}

function trimSuffix(value: string, pattern: string, greedy: boolean): string {
  const whole = new RegExp(`^(?:${globSource(pattern, true)})$`, 's');
  const starts = Array.from({ length: value.length + 1 }, (_, index) => index);
  if (!greedy) starts.reverse();
  const start = starts.find((at) => whole.test(value.slice(at)));
  return start === undefined ? value : value.slice(0, start);
}

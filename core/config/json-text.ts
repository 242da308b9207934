/** JSON with the place of every value, so that a complaint can name line and column. */
export interface JsonText {
  readonly value: unknown;
  readonly problems: readonly { readonly pointer: string; readonly offset: number; readonly message: string }[];
  /** Line and column, both from 1, of a JSON Pointer; of its nearest parent when it does not exist. */
  locate(pointer: string): { readonly line: number; readonly column: number };
  position(offset: number): { readonly line: number; readonly column: number };
}

const deepest = 64;

/** Reads RFC 8259 JSON. Duplicate keys are problems; a syntax error ends the reading with one problem. Never throws. */
export function parseJsonText(text: string): JsonText {
  const reader = new Reader(text.startsWith('\uFEFF') ? text.slice(1) : text);
  const value = reader.document();
  const position = (offset: number) => {
    const before = reader.text.slice(0, offset);
    const lineStart = before.lastIndexOf('\n') + 1;
    return { line: before.split('\n').length, column: offset - lineStart + 1 };
  };
  return {
    value,
    problems: reader.problems,
    position,
    locate(pointer) {
      for (let at = pointer; ; at = at.slice(0, at.lastIndexOf('/'))) {
        const offset = reader.places.get(at);
        if (offset !== undefined) return position(offset);
        if (at === '') return { line: 1, column: 1 };
      }
    },
  };
}

class SyntaxProblem extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
  }
}

class Reader {
  readonly places = new Map<string, number>();
  readonly problems: { pointer: string; offset: number; message: string }[] = [];
  private at = 0;

  constructor(readonly text: string) {}

  document(): unknown {
    try {
      this.space();
      if (this.at === this.text.length) return {}; // dockerd takes an empty file for an empty object
      const value = this.value('', 0);
      this.space();
      if (this.at < this.text.length) throw new SyntaxProblem('text after the end of the JSON value', this.at);
      return value;
    } catch (error) {
      if (!(error instanceof SyntaxProblem)) throw error;
      this.problems.push({ pointer: '', offset: error.offset, message: error.message });
      return undefined;
    }
  }

  private value(pointer: string, depth: number): unknown {
    if (depth > deepest) throw new SyntaxProblem(`nested deeper than ${deepest} levels`, this.at);
    if (!this.places.has(pointer)) this.places.set(pointer, this.at);
    const first = this.text[this.at];
    if (first === '{') return this.object(pointer, depth);
    if (first === '[') return this.array(pointer, depth);
    if (first === '"') return this.string();
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (!this.text.startsWith(word, this.at)) continue;
      this.at += word.length;
      return value;
    }
    const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    number.lastIndex = this.at;
    const match = number.exec(this.text);
    if (match === null) throw new SyntaxProblem(`expected a value, found ${this.found()}`, this.at);
    this.at += match[0].length;
    return Number(match[0]);
  }

  private object(pointer: string, depth: number): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    this.at++;
    this.space();
    if (this.take('}')) return out;
    for (;;) {
      this.space();
      const keyAt = this.at;
      if (this.text[this.at] !== '"')
        throw new SyntaxProblem(`expected a key in quotes, found ${this.found()}`, this.at);
      const key = this.string();
      const child = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (Object.hasOwn(out, key))
        this.problems.push({ pointer: child, offset: keyAt, message: `the key "${key}" is given twice` });
      // The place of a member is its key: that is what a reader looks for.
      else this.places.set(child, keyAt);
      this.space();
      this.expect(':');
      this.space();
      const value = this.value(child, depth + 1);
      Object.defineProperty(out, key, { value, enumerable: true, configurable: true, writable: true });
      this.space();
      if (this.take('}')) return out;
      this.expect(',');
    }
  }

  private array(pointer: string, depth: number): unknown[] {
    const out: unknown[] = [];
    this.at++;
    this.space();
    if (this.take(']')) return out;
    for (;;) {
      this.space();
      out.push(this.value(`${pointer}/${out.length}`, depth + 1));
      this.space();
      if (this.take(']')) return out;
      this.expect(',');
    }
  }

  private string(): string {
    const literal = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    literal.lastIndex = this.at;
    const match = literal.exec(this.text);
    if (match === null) throw new SyntaxProblem('a string that is not ended, or holds a bad escape', this.at);
    this.at += match[0].length;
    return JSON.parse(match[0]) as string;
  }

  private space(): void {
    while (' \t\r\n'.includes(this.text[this.at] ?? 'x')) this.at++;
  }

  private take(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private expect(character: string): void {
    if (!this.take(character)) throw new SyntaxProblem(`expected "${character}", found ${this.found()}`, this.at);
  }

  private found(): string {
    return this.at < this.text.length ? `"${this.text[this.at]}"` : 'the end of the file';
  }
}

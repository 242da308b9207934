import { encodeLines } from '../json-line';

const time = '2024-01-02T03:04:05Z';

function encoded(data: Buffer, attributes = ''): Buffer {
  const pieces: Buffer[] = [];
  encodeLines(data, 'stdout', attributes, time, (text, encoding) => pieces.push(Buffer.from(text, encoding)));
  return Buffer.concat(pieces);
}

/** The format, one character at a time. */
function reference(data: Buffer): string {
  const lines = data.toString('latin1').split('\n');
  const last = lines.pop()!;
  const entries = [...lines.map((line) => `${line}\n`), ...(last === '' ? [] : [last])];
  return entries
    .map((line) => {
      const text = [...Buffer.from(line, 'latin1').toString()].map((character) => {
        const code = character.codePointAt(0)!;
        if (character === '\n') return '\\n';
        if (character === '\r') return '\\r';
        if (character === '"' || character === '\\') return `\\${character}`;
        if (code < 0x20 || '<>&\u2028\u2029'.includes(character)) return `\\u${code.toString(16).padStart(4, '0')}`;
        return character;
      });
      return `{"log":"${text.join('')}","stream":"stdout","time":"${time}"}\n`;
    })
    .join('');
}

const alphabet = [
  'a',
  'b ',
  'long words ',
  '"',
  '\\',
  '\\n',
  '<',
  '>',
  '&',
  '\t',
  '\r',
  '\x1b[0m',
  '\0',
  'ü',
  '日本',
  '🎉',
];

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test('whatever characters meet in a batch, each line is written in the format', () => {
  const next = random(7);
  for (let round = 0; round < 400; round++) {
    const letters = alphabet.filter(() => next() < 0.4);
    let text = '';
    for (let i = Math.floor(next() * 60); i >= 0; i--)
      text += next() < 0.2 ? '\n' : (letters[Math.floor(next() * letters.length)] ?? 'x');
    const padded = Buffer.from(`     ${text}${next() < 0.8 ? '\n' : ''}`);
    // Also from memory that begins in the middle of a word.
    const data = padded.subarray(round % 5);
    expect(encoded(data).toString()).toBe(reference(data));
  }
});

test('a batch of many lines comes in pieces of whole lines', () => {
  const data = Buffer.from(Array.from({ length: 1000 }, (_, i) => `line ${i}\n`).join(''));
  const pieces: string[] = [];
  encodeLines(data, 'stdout', '', time, (text) => pieces.push(text));
  expect(pieces.length).toBeGreaterThan(2);
  for (const piece of pieces) expect(piece).toMatch(/^\{.*\}\n$/s);
  expect(pieces.join('')).toBe(reference(data));
});

test('attributes in other scripts are written as they are', () => {
  expect(encoded(Buffer.from('x\n'), '{"ort":"Köln"}').toString()).toBe(
    `{"log":"x\\n","stream":"stdout","attrs":{"ort":"Köln"},"time":"${time}"}\n`,
  );
});

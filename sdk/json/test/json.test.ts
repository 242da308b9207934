import { ExactNumber, isInt64, parseJson, stringifyJson } from '..';

test.each([
  '{"a":1,"b":[true,false,null],"c":{"d":"x\\u0041\\n"},"e":-0,"f":[],"g":{}}',
  '[1.5,2.25e-3,-7]',
  ' "text" ',
  '0',
  '{"__proto__":{"x":1.5},"a":[[[[1.5]]]]}',
  '["1.5",": 12345678901234567890"]',
])('what JavaScript reads is read alike: %s', (text) => {
  expect(parseJson(text)).toEqual(JSON.parse(text));
  expect(stringifyJson(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
});

test.each(['9007199254740993', '-9223372036854775808', '9223372036854775807', '18446744073709551615', '1e3', '1.0'])(
  '%s comes out as it went in',
  (text) => {
    const value = parseJson(`{"n": ${text}, "s": "x"}`) as { n: number };
    expect(value.n).toBeInstanceOf(ExactNumber);
    expect(stringifyJson(value)).toBe(`{"n":${text},"s":"x"}`);
    expect(stringifyJson(parseJson(stringifyJson({ ...value })))).toBe(`{"n":${text},"s":"x"}`);
    // Whoever knows nothing of it goes on with the nearest number.
    expect(JSON.stringify({ n: value.n })).toBe(JSON.stringify({ n: Number(text) }));
    expect(value.n > 5 || value.n < -5 || value.n >= 1).toBe(true);
  },
);

test('only what Go takes for an int64 is one', () => {
  const taken = ['0', '-1', '9007199254740993', '9223372036854775807', '-9223372036854775808'];
  const refused = ['9223372036854775808', '1e3', '1.0', '1.5', '"1"', 'true', '18446744073709551615', '1e400'];
  for (const text of taken) expect([text, isInt64((parseJson(`[${text}]`) as unknown[])[0])]).toEqual([text, true]);
  for (const text of refused) expect([text, isInt64((parseJson(`[${text}]`) as unknown[])[0])]).toEqual([text, false]);
});

test('the last of equal keys counts and comes last', () => {
  expect(JSON.stringify(parseJson('{"a":1.5,"A":2,"a":3}'))).toBe('{"A":2,"a":3}');
});

test.each([
  ['', 'unexpected EOF'],
  ['{', 'unexpected EOF'],
  ['{"a":1', 'unexpected EOF'],
  ['"a', 'unexpected EOF'],
  ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
  ['[1 2]', "invalid character '2' after array element"],
  ['[1,]', "invalid character ']' looking for beginning of value"],
  ["{'a':1}", "invalid character '\\'' looking for beginning of object key string"],
  ['nul', 'unexpected EOF'],
  ['nulx', "invalid character 'x' in literal null (expecting 'l')"],
  ['[-]', "invalid character ']' in numeric literal"],
  ['[1.]', "invalid character ']' after decimal point in numeric literal"],
  ['[1e]', "invalid character ']' in exponent of numeric literal"],
  ['[01]', "invalid character '1' after array element"],
  ['"\n"', "invalid character '\\n' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
  ['\ufeff{}', "invalid character '\ufeff' looking for beginning of value"],
  ['{} {}', 'unexpected content after JSON'],
  ['{}x', 'unexpected content after JSON'],
  [`${'['.repeat(10_001)}`, 'exceeded max depth'],
])('%j is refused in the words of Go: %s', (text, message) => {
  expect(() => parseJson(text)).toThrow(message);
});

test('deep nesting costs no stack', () => {
  const text = `${'[1.5,'.repeat(9999)}1${']'.repeat(9999)}`;
  expect(parseJson(text)).toHaveLength(2);
});

test('no string of a client is taken for a number', () => {
  const exact = parseJson('{"n":9007199254740993}') as object;
  const text = stringifyJson({ ...exact, s: 'exact-:5', t: '"exact-5"' });
  expect(text).toBe('{"n":9007199254740993,"s":"exact-:5","t":"\\"exact-5\\""}');
});

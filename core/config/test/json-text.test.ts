import { parseJsonText } from '../json-text';

test('a value is found by its pointer with line and column of its key', () => {
  const json = parseJsonText('{\n  "dns": [\n    "1.1.1.1",\n    "x"\n  ]\n}');
  expect(json.value).toEqual({ dns: ['1.1.1.1', 'x'] });
  expect(json.locate('/dns')).toEqual({ line: 2, column: 3 });
  expect(json.locate('/dns/1')).toEqual({ line: 4, column: 5 });
});

test('a pointer that is not there is placed at its nearest parent', () => {
  const json = parseJsonText('{\n "plugins": {"a": {}}}');
  expect(json.locate('/plugins/a/module')).toEqual(json.locate('/plugins/a'));
});

test('keys with slashes and tildes are found by their escaped pointer', () => {
  expect(parseJsonText('{"a/b~c": 1}').locate('/a~1b~0c')).toEqual({ line: 1, column: 2 });
});

test('a key given twice is a problem at its second place', () => {
  const json = parseJsonText('{"debug": true,\n "debug": false}');
  expect(json.problems).toEqual([
    expect.objectContaining({ pointer: '/debug', message: expect.stringContaining('twice') }),
  ]);
  expect(json.position(json.problems[0]!.offset)).toEqual({ line: 2, column: 2 });
});

test.each([
  ['{"a": 1,}', 1, 9],
  ['{"a" 1}', 1, 6],
  ['{"a": tru}', 1, 7],
  ['{"a": "x\n"}', 1, 7],
  ['{"a": 01}', 1, 8],
  ['{} x', 1, 4],
  ['{"a": [1, 2', 1, 12],
  ["{'a': 1}", 1, 2],
])('%j is a syntax problem at its place', (text, line, column) => {
  const json = parseJsonText(text);
  expect(json.value).toBeUndefined();
  expect(json.problems).toHaveLength(1);
  expect(json.position(json.problems[0]!.offset)).toEqual({ line, column });
});

test('nesting without end is a problem, not a crash', () => {
  expect(parseJsonText('['.repeat(100_000)).problems[0]!.message).toContain('nested deeper');
});

test('an empty file is an empty object, and a byte order mark is no content', () => {
  expect(parseJsonText('').value).toEqual({});
  expect(parseJsonText('\uFEFF{"debug": true}').value).toEqual({ debug: true });
});

test('a key named __proto__ is an ordinary key', () => {
  const { value } = parseJsonText('{"__proto__": {"debug": true}}');
  expect(Object.keys(value as object)).toEqual(['__proto__']);
  expect((value as { debug?: boolean }).debug).toBeUndefined();
});

test('the same text gives the same value as JSON.parse', () => {
  const text = '{"a":[1,-2.5e3,true,false,null,"\\u00e9\\n\\"x"],"b":{"c":{}}}';
  expect(parseJsonText(text).value).toEqual(JSON.parse(text));
});

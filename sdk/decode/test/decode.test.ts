import { flag, integer, listOf, mapOf, nullable, struct, text } from '..';

const document = struct({
  Name: text,
  Tags: listOf(text),
  Labels: mapOf(text),
  Limits: nullable(struct({ Max: integer })),
  On: flag,
});

test('what is absent or null has the zero of its type, and keys match in any case', () => {
  const nothing = { Name: '', Tags: [], Labels: {}, Limits: null, On: false };
  expect(document.decode({}, '')).toEqual(nothing);
  expect(document.decode(null, '')).toEqual(nothing);
  expect(document.decode({ name: 'a', NAME: null, ON: true, unknown: 1, limits: { max: 5 } }, '')).toEqual({
    ...nothing,
    Name: 'a',
    On: true,
    Limits: { Max: 5 },
  });
  expect(document.decode({ name: 'a', Name: 'b' }, '').Name).toBe('b');
  expect(document.decode({ Name: 'a', name: 'b' }, '').Name).toBe('b');
});

test.each([
  [{ Name: 5 }, 'number into Go struct field Name of type string'],
  [{ Tags: 'x' }, 'string into Go struct field Tags of type []string'],
  [{ Tags: [true] }, 'bool into Go struct field Tags[0] of type string'],
  [{ Labels: [] }, 'array into Go struct field Labels of type map[string]string'],
  [{ Limits: { Max: 1.5 } }, 'number 1.5 into Go struct field Limits.Max of type int64'],
  [[], 'array into Go value of type struct'],
])('%j is refused by name', (value, message) => {
  expect(() => document.decode(value, '')).toThrow(`invalid JSON: json: cannot unmarshal ${message}`);
});

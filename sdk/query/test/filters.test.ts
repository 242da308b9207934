import { parseQueryFilters } from '..';

const known = ['label', 'name'];
const read = (text: string | null) => [...parseQueryFilters(text, known)];

test('both forms are read, and what is empty is absent', () => {
  expect(read('{"label":["a=b","c"],"name":["x"]}')).toEqual([
    ['label', ['a=b', 'c']],
    ['name', ['x']],
  ]);
  expect(read('{"label":{"a=b":true,"c":false},"name":{}}')).toEqual([['label', ['a=b']]]);
  for (const nothing of [null, '', '{}', 'null', '{"name":[]}', '{"name":null}']) expect(read(nothing)).toEqual([]);
});

test.each(['x', '[]', '5', '"name"', '{"name":"x"}', '{"name":5}', '{"name":[5]}', '{"name":{"x":1}}', '{"name":'])(
  '%s is no filter',
  (text) => expect(() => read(text)).toThrow(/^invalid filter$/),
);

test('an unknown name is refused', () => {
  expect(() => read('{"nope":["x"]}')).toThrow(/^invalid filter 'nope'$/);
  expect(() => read('{"constructor":["x"]}')).toThrow(/^invalid filter 'constructor'$/);
});

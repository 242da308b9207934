import { assertGlob, globMatch } from '../engine/glob-match';

test.each(['[', '[]', '[a', '[^]', '[a-]', '[-a]', 'busybox\\', 'a[\\'])('%s is not a pattern', (pattern) => {
  expect(() => assertGlob(pattern)).toThrow('syntax error in pattern');
});

test.each([
  ['busybox*:l?test', 'busybox:latest'],
  ['[a-c]*', 'busybox'],
  ['[^x]*', 'busybox'],
  ['*/[b]*', 'team/busybox'],
  ['busybo\\x', 'busybox'],
  [']', ']'],
])('%s matches %s', (pattern, text) => {
  assertGlob(pattern);
  expect(globMatch(pattern, text)).toBe(true);
});

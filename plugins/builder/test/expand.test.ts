import { expandText, expandWord, expandWords } from '../dockerfile/expand';

const values: Record<string, string> = { A: 'alpha', EMPTY: '', P: 'src/lib/x.tar.gz', SPACES: 'a b', STAR: 'a*b' };
const variables = (name: string) => values[name];

test.each([
  ['$A', 'alpha'],
  ['${A}', 'alpha'],
  ['x${A}y$A', 'xalphayalpha'],
  ['$NONE', ''],
  ['$', '$'],
  ['a$ b', 'a$ b'],
  ['\\$A', '$A'],
  ["'$A'", '$A'],
  ['"$A"', 'alpha'],
  ['"\\$A \\x"', '$A \\x'],
  ['a\\ b', 'a b'],
  ['${NONE:-word}', 'word'],
  ['${EMPTY:-word}', 'word'],
  ['${EMPTY-word}', ''],
  ['${NONE-word}', 'word'],
  ['${A:+set}', 'set'],
  ['${EMPTY:+set}', ''],
  ['${EMPTY+set}', 'set'],
  ['${NONE:-${A}}', 'alpha'],
  ['${NONE:-"a b"}', 'a b'],
  ['${A:?no}', 'alpha'],
  ['${P#*/}', 'lib/x.tar.gz'],
  ['${P##*/}', 'x.tar.gz'],
  ['${P%.*}', 'src/lib/x.tar'],
  ['${P%%.*}', 'src/lib/x'],
  ['${P%/*}', 'src/lib'],
  ['${A/a/o}', 'olpha'],
  ['${A//a/o}', 'olpho'],
  ['${A/l*/X}', 'aX'],
  ['${STAR#a\\*}', 'b'],
  ['${A#?}', 'lpha'],
  ['${NONE#x}', ''],
  ['$1', ''],
])('%s becomes %s', (word, expected) => {
  expect(expandWord(word, variables, '\\')).toBe(expected);
});

test.each([
  ['${A', "missing '}'"],
  ['${A!x}', 'unsupported modifier (!)'],
  ['${A:x}', 'unsupported modifier (:x)'],
  ['${NONE:?must be given}', 'NONE: must be given'],
  ['${EMPTY:?}', 'EMPTY: is not allowed to be empty'],
  ['${NONE?}', 'NONE: is not allowed to be unset'],
  ["'a", 'single-quote'],
  ['"a', 'double-quote'],
  ['${}', 'bad substitution'],
])('%s is refused', (word, message) => {
  expect(() => expandWord(word, variables, '\\')).toThrow(message);
});

test('a backtick escapes when the file says so', () => {
  expect(expandWord('c:\\dir\\`$A', variables, '`')).toBe('c:\\dir\\$A');
});

test('blanks in values separate words, in quotes they do not', () => {
  expect(expandWords('$SPACES "$SPACES" c', variables, '\\')).toEqual(['a', 'b', 'a b', 'c']);
});

test('a here-document keeps its quotes', () => {
  expect(expandText('say "$A" \'$A\' \\$A \\n\n', variables, '\\')).toBe('say "alpha" \'alpha\' $A \\n\n');
});

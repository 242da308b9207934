import { repeatedKey } from '../repeated-key';

test.each([
  ['plainly', '{"A":1,"B":2,"A":3}', 'A'],
  ['deep inside', '{"a":[{"b":{}},{"c":1,"d":[{"x":"","x":""}]}]}', 'x'],
  ['in another case', '{"HostConfig":{"Privileged":true},"hostconfig":{}}', 'hostconfig'],
  ['with an escape', '{"HostConfig":1,"Host\\u0043onfig":2}', 'HostConfig'],
  ['with a letter that folds to another', '{"Links":1,"Lin\u212as":2}', 'Lin\u212as'],
  ['with a long s', '{"Sysctls":{},"\u017fysctls":{}}', '\u017fysctls'],
  ['after a value that looks like the end', '{"a":"}\\\\\\"{","a":1}', 'a'],
  [
    'in a network named as a map of labels',
    '{"EndpointsConfig":{"Labels":{"IPAMConfig":1,"ipamconfig":2}}}',
    'ipamconfig',
  ],
])('a key is given twice %s', (_how, text, key) => {
  expect(repeatedKey(text)).toBe(key);
});

test.each([
  '{"Labels":{"a":1,"A":2},"Volumes":{"/data":{},"/Data":{}}}',
  '{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":2},"x","x"]}',
  '"text"',
  '[]',
  '{"a":"a","b":"a\\"a"}',
  '{"a"',
  '}]{"',
])('nothing is given twice in %s', (text) => {
  expect(repeatedKey(text)).toBeUndefined();
});

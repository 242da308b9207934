import { familiarWords } from '../oci/familiar-words';

const failed = 'OCI runtime create failed: ';

test.each([
  [
    'executable file `nope` not found in $PATH: No such file or directory',
    'exec: "nope": executable file not found in $PATH',
  ],
  [
    'executable file `/nope/x` not found in $PATH: No such file or directory',
    'exec: "/nope/x": stat /nope/x: no such file or directory',
  ],
  ['open executable: Operation not permitted', 'exec: permission denied'],
  ['mount `/a` to `b`: Not a directory', 'mount `/a` to `b`: not a directory'],
  ['exec: "nope": executable file not found in $PATH', 'exec: "nope": executable file not found in $PATH'],
])('%s', (said, familiar) => {
  expect(familiarWords(`${failed}${said}: unknown`)).toBe(`${failed}${familiar}: unknown`);
});

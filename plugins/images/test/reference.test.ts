import { canonicalString, familiarString, isDigest, parseReference } from '../reference/reference';

const digest = `sha256:${'a'.repeat(64)}`;

test.each([
  ['busybox', 'docker.io/library/busybox', 'busybox'],
  ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
  ['user/app', 'docker.io/user/app', 'user/app'],
  ['docker.io/busybox', 'docker.io/library/busybox', 'busybox'],
  ['index.docker.io/library/busybox', 'docker.io/library/busybox', 'busybox'],
  ['localhost/app', 'localhost/app', 'localhost/app'],
  ['localhost:5000/app:v1', 'localhost:5000/app:v1', 'localhost:5000/app:v1'],
  ['127.0.0.1:5000/a/b/c', '127.0.0.1:5000/a/b/c', '127.0.0.1:5000/a/b/c'],
  ['[::1]:5000/app', '[::1]:5000/app', '[::1]:5000/app'],
  ['ghcr.io/o/app:Tag_1.2-x', 'ghcr.io/o/app:Tag_1.2-x', 'ghcr.io/o/app:Tag_1.2-x'],
  [`busybox@${digest}`, `docker.io/library/busybox@${digest}`, `busybox@${digest}`],
  [`busybox:1@${digest}`, `docker.io/library/busybox:1@${digest}`, `busybox:1@${digest}`],
  ['a__b/c--d.e', 'docker.io/a__b/c--d.e', 'a__b/c--d.e'],
  ['Host/app', 'Host/app', 'Host/app'],
])('%s means %s and is shown as %s', (text, canonical, familiar) => {
  expect(canonicalString(parseReference(text))).toBe(canonical);
  expect(familiarString(parseReference(text))).toBe(familiar);
});

test.each([
  ['', 'invalid reference format'],
  ['BusyBox', 'invalid reference format: repository name (library/BusyBox) must be lowercase'],
  ['a/B:x', 'invalid reference format: repository name (a/B) must be lowercase'],
  [':tag', 'invalid reference format'],
  ['busybox:', 'invalid reference format'],
  ['busybox:a/b', 'invalid reference format'],
  ['busybox@sha256:abc', 'invalid reference format'],
  [`busybox@sha256:${'a'.repeat(40)}`, 'invalid checksum digest length'],
  [`busybox@md5:${'a'.repeat(32)}`, 'unsupported digest algorithm'],
  ['-app', 'invalid reference format'],
  ['a//b', 'invalid reference format'],
  ['a___b', 'invalid reference format'],
  ['http://host/app', 'invalid reference format'],
  ['f'.repeat(64), `invalid repository name (${'f'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
  [`busybox:${'t'.repeat(129)}`, 'invalid reference format'],
])('%j is refused', (text, message) => {
  expect(() => parseReference(text)).toThrow(expect.objectContaining({ kind: 'invalid-parameter', message }));
});

test('a digest has the length of its algorithm', () => {
  expect(isDigest(digest)).toBe(true);
  expect(isDigest(`${digest}0`)).toBe(false);
  expect(isDigest(`sha512:${'0'.repeat(128)}`)).toBe(true);
});

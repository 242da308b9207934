import { IgnorePatterns } from '../context/ignore-patterns';
import { ListedTree } from '../context/listed-tree';
import { resolvePath, type SourceEntry } from '../context/source-tree';
import { parseModeChange } from '../copy/file-mode';
import { digestOf, findSources } from '../copy/select-files';

const entry = (more: Partial<SourceEntry>): SourceEntry => ({
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 1,
  modifiedNs: 0n,
  linkName: '',
  content: undefined,
  digest: 'd',
  device: undefined,
  xattrs: new Map(),
  ...more,
});
const treeOf = (entries: Record<string, Partial<SourceEntry>>) =>
  new ListedTree(Object.entries(entries).map(([path, more]) => ({ path, entry: entry(more) })));
const request = { instruction: 'COPY', excludes: [], parents: false, fromContext: true } as const;

test.each<[string, string[], string[]]>([
  ['*.md\n!README.md', ['a.md', 'README.md', 'd/a.md'], ['a.md']],
  ['**/*.md', ['a.md', 'd/e/a.md', 'a.txt'], ['a.md', 'd/e/a.md']],
  ['node_modules', ['node_modules/x/y', 'd/node_modules/x'], ['node_modules/x/y']],
  ['# note\n\n/tmp/', ['tmp/a', 'd/tmp/a'], ['tmp/a']],
  ['d/**\n!d/keep', ['d/a', 'd/keep', 'd/e/f'], ['d/a', 'd/e/f']],
  ['**/secret', ['secret', 'd/secret', 'd/secret/x'], ['secret', 'd/secret', 'd/secret/x']],
  ['a?c\n[x-z]1', ['abc', 'a/c', 'y1', 'w1'], ['abc', 'y1']],
  ['*\n!d', ['a', 'd/x'], ['a']],
])('patterns %j', (text, paths, excluded) => {
  const patterns = IgnorePatterns.parse(text);
  expect(paths.filter((path) => patterns.excludes(path))).toEqual(excluded);
});

test('links are followed inside the tree and cannot leave it', () => {
  const tree = treeOf({
    'd/f': {},
    up: { type: 'symlink', linkName: '../../../d' },
    absolute: { type: 'symlink', linkName: '/d/f' },
    loop: { type: 'symlink', linkName: 'loop' },
  });
  expect(resolvePath(tree, 'up/f')).toBe('d/f');
  expect(resolvePath(tree, 'absolute')).toBe('d/f');
  expect(resolvePath(tree, 'loop')).toBeUndefined();
  expect(resolvePath(tree, 'd/../../../d/f')).toBe('d/f');
});

test('what is copied is worth the same whatever its time and owner, and another thing with another mode or name', async () => {
  const digest = (name: string, more: Partial<SourceEntry>) =>
    findSources(treeOf({ [`d/${name}`]: more }), { ...request, sources: ['d'] }).then(digestOf);
  const plain = await digest('f', {});
  expect(await digest('f', { modifiedNs: 5n, uid: 7 })).toBe(plain);
  expect(await digest('f', { mode: 0o755 })).not.toBe(plain);
  expect(await digest('g', {})).not.toBe(plain);
  expect(await digest('f', { digest: 'other' })).not.toBe(plain);
});

test('a large context is looked through without holding up others', async () => {
  const tree = treeOf(Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`d${i % 100}/f${i}`, {}])));
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await findSources(tree, { ...request, sources: ['.'] }).then(digestOf);
  await tree.remove((path) => path.endsWith('7'));
  clearInterval(timer);
  expect(turns).toBeGreaterThan(3);
  expect(tree.find('d7/f7')).toBeUndefined();
  expect(tree.list('d0')).toContain('f100');
});

test.each([
  ['755', 0o600, false, 0o755],
  ['u=rw,go=', 0o777, false, 0o600],
  ['a+X', 0o600, true, 0o711],
  ['a+X', 0o600, false, 0o600],
  ['u+s,+t', 0o755, false, 0o5755],
  ['go-w', 0o666, false, 0o644],
])('mode %s of %o', (text, mode, isDirectory, expected) => {
  expect(parseModeChange(text)(mode, isDirectory)).toBe(expected);
});

test('a mode that is none is refused', () => {
  expect(() => parseModeChange('rwx')).toThrow('invalid chmod parameter');
});

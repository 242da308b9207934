import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const root = resolve(__dirname, '../..');
const rooms = ['core', 'examples', 'plugins', 'sdk', 'test'];

function sources(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs|js)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !/(^|\/)(dist|node_modules)\//.test(path));
}

test('the top level holds the rooms and nothing else', () => {
  const folders = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^(\.|node_modules$|coverage$)/.test(entry.name))
    .map((entry) => entry.name);
  expect(rooms).toEqual(expect.arrayContaining(folders));
});

test('no file or folder is a box for odds and ends', () => {
  const boxes = /(^|\/)(utils?|common|helpers?|misc|shared|lib)(\/|\.(test\.)?\w+$)/i;
  expect(rooms.flatMap(sources).filter((path) => boxes.test(path))).toEqual([]);
});

test('files are named in kebab-case', () => {
  const odd = rooms
    .flatMap(sources)
    .filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.(test|d|config))?\.\w+$/.test(path.split('/').at(-1)!));
  expect(odd).toEqual([]);
});

test('a file holds one thing: at most 400 lines', () => {
  const long = rooms
    .flatMap(sources)
    .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1 }))
    .filter(({ lines }) => lines > 400)
    .map(({ path, lines }) => `${path}: ${lines} lines`);
  expect(long).toEqual([]);
});

test('every exported symbol of the SDK says what its type does not', () => {
  const bare = sources('sdk')
    .filter((path) => path.endsWith('.ts') && !/(^|\/)test\//.test(path))
    .flatMap(undocumented);
  expect(bare).toEqual([]);
});

test('every plugin says in a README what it is and how to try it', () => {
  const plugins = readdirSync(join(root, 'plugins'));
  expect(plugins.filter((name) => !existsSync(join(root, 'plugins', name, 'README.md')))).toEqual([]);
});

test('the lock file holds the optional packages of every platform, without which npm ci refuses it', () => {
  type Locked = { version?: string; optionalDependencies?: Record<string, string> };
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const names = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
  const missing = Object.values(packages)
    .flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}))
    .filter((name) => !names.has(name));
  expect(missing).toEqual([]);
});

function undocumented(path: string): string[] {
  const lines = readFileSync(join(root, path), 'utf8').split('\n');
  const found: string[] = [];
  const documented = new Set<string>();
  lines.forEach((line, i) => {
    const match =
      /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|enum) (\w+)/.exec(line);
    if (!match) return;
    const name = match[1]!;
    let above = i - 1;
    while (/^@|^\/\/ biome-ignore/.test(lines[above] ?? '')) above--;
    const previous = /^export (?:const|function|type) (\w+)/.exec(lines[above] ?? '')?.[1] ?? '';
    // One docstring may speak for a block of one-line exports.
    if (/\*\/\s*$/.test(lines[above] ?? '') || documented.has(previous)) documented.add(name);
    // A capability's value carries the name of its interface; one of the two explains both.
    else if (!documented.has(name) && !documented.has(name.replace(/\d+$/, ''))) found.push(`${path}:${i + 1} ${name}`);
  });
  return found;
}

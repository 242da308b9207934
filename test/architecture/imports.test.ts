import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const root = resolve(__dirname, '../..');

function sources(folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !/(^|\/)(dist|node_modules|test)\//.test(path));
}

function imports(path: string): string[] {
  const text = readFileSync(join(root, path), 'utf8');
  return [...text.matchAll(/(?:from|import|require)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

const ours = (name: string) => name.startsWith('@gantry/');
const leaves = (path: string, name: string, room: string) =>
  name.startsWith('.') && relative(join(root, room), resolve(root, path, '..', name)).startsWith('..');

test('the SDK imports nothing of ours', () => {
  const bad = sources('sdk').flatMap((path) =>
    imports(path)
      .filter((n) => ours(n) || leaves(path, n, 'sdk'))
      .map((n) => `${path}: ${n}`),
  );
  expect(bad).toEqual([]);
});

test('the core imports only the SDK of ours', () => {
  const bad = sources('core').flatMap((path) =>
    imports(path)
      .filter((n) => (ours(n) && !/^@gantry\/sdk(\/|$)/.test(n)) || leaves(path, n, 'core'))
      .map((n) => `${path}: ${n}`),
  );
  expect(bad).toEqual([]);
});

test('plugins and examples import only the SDK of ours, by its published name', () => {
  const bad = ['plugins', 'examples'].flatMap((folder) =>
    sources(folder).flatMap((path) => {
      const room = path.split('/').slice(0, 2).join('/');
      return imports(path)
        .filter((n) => (ours(n) && !/^@gantry\/sdk(\/|$)/.test(n)) || leaves(path, n, room))
        .map((n) => `${path}: ${n}`);
    }),
  );
  expect(bad).toEqual([]);
});

test('each tool has one owner', () => {
  const owners: Record<string, RegExp> = {
    express: /^core\/api\//,
    'http-proxy': /^core\/api\//,
    ws: /^core\/api\//,
    tsyringe: /^core\/compose\.ts$/,
    semver: /^core\/kernel\/manifest\//,
    'prom-client': /^core\/metrics\//,
    '@opentelemetry/api': /^core\/traces\//,
    '@opentelemetry/sdk-trace-base': /^core\/traces\//,
  };
  const bad = ['core', 'sdk', 'plugins', 'examples'].flatMap((folder) =>
    sources(folder).flatMap((path) =>
      imports(path)
        .filter((n) => owners[n] && !owners[n].test(path))
        .map((n) => `${path}: ${n}`),
    ),
  );
  expect(bad).toEqual([]);
});

import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FakeRegistry, startFakeRegistry } from './support/fake-registry';
import { type StartedPlugin, startPlugin } from './support/image-plugin';

let folder: string;
let engine: StartedPlugin;
let registry: FakeRegistry;
beforeEach(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'gantry-search-'));
  engine = await startPlugin(folder);
  registry = await startFakeRegistry();
});
afterEach(async () => {
  await engine.stop();
  await registry.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const found = [
  { name: 'web', description: 'A server', star_count: 7, is_official: true, is_automated: true, is_trusted: false },
  { name: 'acme/web', star_count: 2 },
];
const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => {
  registry.onRequest = (_request, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
    return true;
  };
};
const search = (query: string) => engine.call('GET', `/images/search?term=${registry.host}/web${query}`);
const filters = (wanted: Record<string, string[]>) => `&filters=${encodeURIComponent(JSON.stringify(wanted))}`;

test('the registry named in the term is asked, and its answer has the API’s shape', async () => {
  answer(200, { results: found });
  expect((await search('&limit=5')).body).toEqual([
    { name: 'web', description: 'A server', star_count: 7, is_official: true, is_automated: false },
    { name: 'acme/web', description: '', star_count: 2, is_official: false, is_automated: false },
  ]);
  expect(registry.requests.at(-1)).toBe('GET /v1/search?q=web&n=5');
});

test.each([
  [{ 'is-official': ['true'] }, ['web']],
  [{ 'is-official': ['false'] }, ['acme/web']],
  [{ stars: ['3'] }, ['web']],
  [{ 'is-automated': ['true'] }, []],
])('the filter %j chooses', async (wanted, names) => {
  answer(200, { results: found });
  const { body } = await search(filters(wanted as Record<string, string[]>));
  expect((body as { name: string }[]).map(({ name }) => name)).toEqual(names);
});

test.each([
  ['&limit=101', 'limit 101 is outside the range of [1, 100]'],
  ['&limit=x', 'strconv.Atoi: parsing "x": invalid syntax'],
  [filters({ stars: ['many'] }), "invalid filter 'stars=many'"],
  [filters({ colour: ['red'] }), /invalid filter/],
])('%s is refused', async (query, message) => {
  await expect(search(query)).rejects.toMatchObject({ kind: 'invalid-parameter' });
  await expect(search(query)).rejects.toThrow(message);
});

test('a registry without a search, and one that limits requests, are told apart', async () => {
  answer(404, {});
  await expect(search('')).rejects.toMatchObject({ kind: 'system', message: 'Unexpected status code 404' });
  answer(429, { errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] }, { 'Retry-After': '30' });
  await expect(search('')).rejects.toMatchObject({
    kind: 'rate-limited',
    message: 'toomanyrequests: slow down',
    retryAfterSeconds: 30,
  });
});

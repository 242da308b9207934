import { type ApiRoute, reply } from '@gantry/sdk';
import { RouteTable } from '../routes/route-table';
import { recordingLogger } from './api-fixture';

const routes = (...paths: string[]): ApiRoute[] =>
  paths.map((text) => {
    const [method, path] = text.split(' ') as [ApiRoute['method'], string];
    return { method, path, handle: () => reply.empty(204) };
  });

const table = new RouteTable(
  routes(
    'GET /images/json',
    'GET /images/{name...}/json',
    'GET /images/{name...}/get',
    'GET /images/get',
    'DELETE /images/{name...}',
    'GET /containers/{id}/json',
    'GET /containers/{id}/{what}',
    'GET /{any...}/tail',
  ),
  recordingLogger(),
);

test.each([
  ['GET', '/images/json', '/images/json', {}],
  ['GET', '/images/busybox/json', '/images/{name...}/json', { name: 'busybox' }],
  ['GET', '/images/reg.io:5000/a/b:1/json', '/images/{name...}/json', { name: 'reg.io:5000/a/b:1' }],
  ['GET', '/images/get', '/images/get', {}],
  ['GET', '/images/json/get', '/images/{name...}/get', { name: 'json' }],
  ['DELETE', '/images/a/json', '/images/{name...}', { name: 'a/json' }],
  ['GET', '/containers/1/json', '/containers/{id}/json', { id: '1' }],
  ['GET', '/containers/1/top', '/containers/{id}/{what}', { id: '1', what: 'top' }],
  ['GET', '/a/b/tail', '/{any...}/tail', { any: 'a/b' }],
] as const)('%s %s is served by %s', (method, path, pattern, params) => {
  const match = table.match(method, path);
  expect(match?.route.path).toBe(pattern);
  expect({ ...match?.params }).toEqual(params);
});

test.each([
  ['POST', '/images/json'],
  ['GET', '/images//json'],
  ['GET', '/containers//json'],
  ['GET', '/containers/1/json/'],
  ['DELETE', '/images'],
  ['GET', '/Images/json'],
])('%s %s fits nothing', (method, path) => {
  expect(table.match(method, path)).toBeUndefined();
});

test('of two plugins with the same route the first is kept and the other reported', () => {
  const log = recordingLogger();
  const [first, second] = routes('GET /volumes/{name}', 'GET /volumes/{id}');
  const both = new RouteTable([first!, second!], log);
  expect(both.match('GET', '/volumes/data')?.route).toBe(first);
  expect(log.lines).toContainEqual(expect.objectContaining({ level: 'error' }));
});

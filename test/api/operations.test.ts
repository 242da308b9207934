import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { engineRoutes } from '../../plugins/containers/api/engine-routes';
import type { Engine } from '../../plugins/containers/engine';
import { daemonForSuite } from '../support/daemon';
import { testUnless } from '../support/test-unless';
import { operations } from './coverage/operations';

const daemon = daemonForSuite();
const schema = process.env.GANTRY_ENGINE_API_SCHEMA;

/** What the engine serves. Its routes are data: nothing is called, so there need not be an engine behind them. */
const served = engineRoutes({} as Engine).map(({ method, path }) => `${method} ${path}`);

test('every operation the engine serves is in the table once, and nothing else', () => {
  expect(operations.map(({ operation }) => operation).sort()).toEqual([...served].sort());
});

test('every test that the table names is there', () => {
  const missing = operations.filter(({ file, title }) => {
    const path = join(__dirname, '..', file);
    return !existsSync(path) || !readFileSync(path, 'utf8').includes(`('${title}'`);
  });
  expect(missing).toEqual([]);
});

test('checkpoints are refused when the daemon is not in experimental mode, in words that name criu', async () => {
  const { api } = daemon();
  const { Id } = (await api.post('/containers/create?name=frozen', { Image: 'busybox', Cmd: ['true'] })).json();
  const answers = [
    await api.get(`/containers/${Id}/checkpoints`),
    await api.post('/containers/frozen/checkpoints', { CheckpointID: 'one' }),
    await api.delete('/containers/frozen/checkpoints/one'),
    await api.post('/containers/frozen/start?checkpoint=one'),
  ];
  for (const answer of answers) {
    expect(answer.status).toBe(501);
    expect(answer.json().message).toContain('criu');
  }
  expect((await api.get('/containers/nobody/checkpoints')).status).toBe(404);
  await api.delete('/containers/frozen');
});

testUnless(!schema && 'GANTRY_ENGINE_API_SCHEMA does not name the API schema')(
  'the engine serves every operation of the API schema, with every parameter (GANTRY_ENGINE_API_SCHEMA=<yaml>)',
  () => {
    type Described = Record<string, { parameters?: { in: string; name: string }[] }>;
    const { paths } = parse(readFileSync(schema!, 'utf8')) as { paths: Record<string, Described> };
    const silent: string[] = [];
    for (const [path, methods] of Object.entries(paths)) {
      if (!/^\/(containers|exec|commit)(\/|$)/.test(path)) continue;
      for (const [method, { parameters = [] }] of Object.entries(methods)) {
        const name = `${method.toUpperCase()} ${path}`;
        const row = operations.find(({ operation }) => operation === name);
        if (row === undefined) silent.push(name);
        for (const parameter of parameters)
          if (parameter.in === 'query' && row && !row.parameters.includes(parameter.name))
            silent.push(`${name}?${parameter.name}`);
      }
    }
    expect(silent).toEqual([]);
  },
);

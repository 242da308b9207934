import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { daemonForSuite } from '../support/daemon';
import { testUnless } from '../support/test-unless';
import { requestFields } from './coverage/request-fields';
import { schemaFields } from './coverage/schema-fields';

const daemon = daemonForSuite();
const schema = process.env.GANTRY_ENGINE_API_SCHEMA;
/** `Cmd` and `Cmd[]` are one field. */
const plain = (field: string) => field.replace(/(\[\]|\{\})+$/, '');

test('every field of the table has one outcome', () => {
  const names = requestFields.map(({ field }) => plain(field));
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  expect(names.length).toBeGreaterThan(200);
});

/** What a test with the docker client writes for a field. */
const flags: Readonly<Record<string, string>> = {
  'Config.OpenStdin': '-i',
  'Config.StdinOnce': '-i',
  'Config.Image': 'busybox',
  'HostConfig.Binds[]': '-v',
  'HostConfig.DeviceRequests[].Count': '--gpus',
  'HostConfig.DeviceRequests[].Capabilities[]': '--gpus',
  'HostConfig.ReadonlyRootfs': '--read-only',
  'Exec.AttachStdin': '-i',
};

test('every test that the table names is there, and gives the field that it stands for', () => {
  const wrong = requestFields.filter((row) => {
    if (row.outcome === 'refused') return false;
    const body = bodyOf(row.file, row.title).toLowerCase();
    const name = plain(row.field).split('.').at(-1)!.toLowerCase();
    return !body.includes(name) && !body.includes(`'${flags[row.field] ?? `--${name}`}`);
  });
  expect(wrong).toEqual([]);
});

/** From the title of a test to the next test; empty when it is not there. */
function bodyOf(file: string, title: string): string {
  const path = join(__dirname, '..', file);
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const from = text.indexOf(`'${title}'`);
  if (from < 0) return '';
  const end = text.indexOf('\ntest', from);
  return text.slice(from, end < 0 ? undefined : end);
}

test('every refused field is refused, by name, and nothing is left of the request', async () => {
  const api = daemon().api;
  const made = await api.post('/containers/create?name=kept', { Image: 'busybox', Cmd: ['true'] });
  for (const row of requestFields) {
    if (row.outcome !== 'refused') continue;
    const isUpdate = row.field.startsWith('Update.');
    const answer = isUpdate
      ? await api.post('/containers/kept/update', row.body)
      : await api.post('/containers/create', { Image: 'busybox', Cmd: ['true'], ...row.body });
    if (answer.status !== row.status || !row.message.test(answer.json().message))
      throw new Error(`${row.field}: ${answer.status} ${answer.text}`);
  }
  const left = (await api.get('/containers/json?all=1')).json<{ Id: string }[]>().map(({ Id }) => Id);
  expect(left).toEqual([made.json().Id]);
});

testUnless(!schema && 'GANTRY_ENGINE_API_SCHEMA does not name the API schema')(
  'the table has every field of the API schema (GANTRY_ENGINE_API_SCHEMA=<yaml>)',
  () => {
    const known = new Set(requestFields.map(({ field }) => plain(field)));
    const there = new Set(schemaFields(schema!).map(plain));
    expect({
      silent: [...there].filter((field) => !known.has(field)),
      invented: [...known].filter((field) => !there.has(field)),
    }).toEqual({ silent: [], invented: [] });
  },
);

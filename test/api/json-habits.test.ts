import { daemonForSuite } from '../support/daemon';

const daemon = daemonForSuite();
const create = (name: string, body: string) =>
  daemon().api.request('POST', `/containers/create?name=${name}`, {
    body,
    headers: { 'Content-Type': 'application/json' },
  });
/** A member of an answer as it is written there. */
const written = async (path: string, key: string) =>
  new RegExp(`"${key}":([^,}\\]]+)`).exec((await daemon().api.get(path)).text)?.[1];

test('64-bit integers stay exact, from the request over the disk to the answer', async () => {
  const limits =
    '"Memory":9007199254740993,"MemorySwap":-1,"Ulimits":[{"Name":"core","Soft":5,"Hard":9223372036854775807}]';
  expect((await create('exact', `{"Image":"busybox","HostConfig":{${limits}}}`)).status).toBe(201);
  const shown = async () => [
    await written('/containers/exact/json', 'Memory'),
    await written('/containers/exact/json', 'MemorySwap'),
    await written('/containers/exact/json', 'Hard'),
  ];
  expect(await shown()).toEqual(['9007199254740993', '-1', '9223372036854775807']);
  const update = await daemon().api.request('POST', '/containers/exact/update', {
    body: '{"Memory": 9007199254740995, "MemorySwap": -1}',
    headers: { 'Content-Type': 'application/json' },
  });
  expect(update.status).toBe(200);
  await daemon().kill();
  await daemon().start();
  expect(await shown()).toEqual(['9007199254740995', '-1', '9223372036854775807']);
  // The client reads it as int64; a rounded number would not fit.
  expect(await daemon().cli.ok('inspect', '-f', '{{.HostConfig.Memory}}', 'exact')).toBe('9007199254740995');
  await daemon().api.delete('/containers/exact');
});

test.each([
  ['{"Image":5}', 'cannot unmarshal number into Go struct field Image of type string'],
  ['{"Image":"busybox","Env":"A=1"}', 'cannot unmarshal string into Go struct field Env of type []string'],
  ['{"Image":"busybox","Tty":"true"}', 'cannot unmarshal string into Go struct field Tty of type bool'],
  ['{"HostConfig":{"Memory":"5"}}', 'cannot unmarshal string into Go struct field HostConfig.Memory of type int64'],
  ['{"HostConfig":{"Memory":1e3}}', 'cannot unmarshal number 1e3 into Go struct field HostConfig.Memory of type int64'],
  ['{"HostConfig":{"Memory":1.0}}', 'cannot unmarshal number 1.0 into Go struct field HostConfig.Memory of type int64'],
  ['{"HostConfig":{"Memory":9223372036854775808}}', 'cannot unmarshal number 9223372036854775808 into Go struct field'],
  ['{"Image":"busybox"', 'unexpected EOF'],
  ['{"Image":"busybox",}', "invalid character '}' looking for beginning of object key string"],
])('%s is refused as Go refuses it', async (body, message) => {
  const answer = await create('never', body);
  expect(answer.status).toBe(400);
  expect(answer.json().message).toMatch(/^invalid JSON: /);
  expect(answer.json().message).toContain(message);
});

test('of keys that differ in case the last one counts, null changes nothing, and unknown keys are passed over', async () => {
  const body =
    '{"image":"nothing","IMAGE":"busybox","Labels":null,"hostCONFIG":{"memory":7340032,"MEMORY":8388608,"Memory":null},"X":[{}]}';
  expect((await create('cases', body)).status).toBe(201);
  const { Config, HostConfig } = (await daemon().api.get('/containers/cases/json')).json();
  expect([Config.Image, Config.Labels, HostConfig.Memory]).toEqual(['busybox', {}, 8388608]);
  // Clients tell "none" from "empty" here.
  expect([HostConfig.Binds, HostConfig.CapAdd, HostConfig.Dns]).toEqual([null, null, null]);
  await daemon().api.delete('/containers/cases');
});

test('networks and volumes are read alike', async () => {
  const send = async (path: string, body: string) => {
    const headers = { 'Content-Type': 'application/json' };
    const answer = await daemon().api.request('POST', path, { body, headers });
    return [answer.status, answer.json().message ?? answer.json().Name ?? 'made'];
  };
  expect(await send('/networks/create', '{"name":"x","NAME":"lower","labels":{"a":null}}')).toEqual([201, 'made']);
  expect((await daemon().api.get('/networks/lower')).json().Labels).toEqual({ a: '' });
  expect(await send('/volumes/create', '{"Name":"upper","name":"last","driverOpts":null}')).toEqual([201, 'last']);
  for (const [path, body, kind] of [
    ['/networks/create', '{"Name":5}', 'number into Go struct field Name of type string'],
    ['/networks/create', '{"IPAM":{"Config":{}}}', 'object into Go struct field IPAM.Config of type []struct'],
    ['/volumes/create', '{"Labels":[]}', 'array into Go struct field Labels of type map[string]string'],
    ['/volumes/create', '{"DriverOpts":{"a":1}}', 'number into Go struct field DriverOpts.a of type string'],
  ] as const)
    expect(await send(path, body)).toEqual([400, `invalid JSON: json: cannot unmarshal ${kind}`]);
  await daemon().api.delete('/networks/lower');
  await daemon().api.delete('/volumes/last');
});

test('nesting, odd bytes and odd numbers of members do no harm', async () => {
  const odd = [
    `{"Image":"busybox","X":${'['.repeat(9000)}${']'.repeat(9000)}}`,
    `{"Image":"busybox","X":${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}}`,
    `{"Image":"busybox","Labels":{"__proto__":"x","constructor":"y","toString":"z"}}`,
    `{"Image":"busybox",${Array.from({ length: 20_000 }, (_, i) => `"k${i}":${i}`).join()}}`,
  ];
  for (const [index, body] of odd.entries()) expect((await create(`odd${index}`, body)).status).toBe(201);
  expect((await daemon().api.get('/containers/odd2/json')).json().Config.Labels.constructor).toBe('y');
  expect((await daemon().api.get('/containers/json?all=1&filters={"label":["valueOf"]}')).json()).toEqual([]);
  expect((await create('deep', `{"X":${'['.repeat(10_001)}`)).json().message).toContain('exceeded max depth');
  for (const index of odd.keys()) await daemon().api.delete(`/containers/odd${index}`);
});

test.each([
  ['/containers/json', 'name'],
  ['/images/json', 'label'],
  ['/networks', 'name'],
  ['/volumes', 'name'],
  ['/events?until=1', 'type'],
])('filters of %s come in both forms, and anything else is refused', async (path, name) => {
  const ask = (filters: string) =>
    daemon().api.get(`${path}${path.includes('?') ? '&' : '?'}filters=${encodeURIComponent(filters)}`);
  for (const fine of [`{"${name}":["x"]}`, `{"${name}":{"x":true}}`, '', '{}', 'null'])
    expect((await ask(fine)).status).toBe(200);
  for (const wrong of ['x', '[]', `{"${name}":"x"}`, `{"${name}":[1]}`, `{"${name}":{"x":1}}`]) {
    const answer = await ask(wrong);
    expect([answer.status, answer.json().message]).toEqual([400, 'invalid filter']);
  }
  expect((await ask('{"nope":["x"]}')).json().message).toBe("invalid filter 'nope'");
});

test('a pattern that backtracks without end stops nobody', async () => {
  await daemon().api.post('/networks/create', { Name: `${'a'.repeat(50)}.` });
  const filters = encodeURIComponent('{"name":["^(a+)+$"]}');
  expect((await daemon().api.get(`/networks?filters=${filters}`, { timeoutMs: 5000 })).json()).toEqual([]);
  await daemon().api.delete(`/networks/${'a'.repeat(50)}.`);
});

test('a query that can be read in two ways is refused', async () => {
  expect((await daemon().api.get('/containers/json?all=1;size=1')).json()).toEqual({
    message: 'invalid semicolon separator in query',
  });
  expect((await daemon().api.get('/containers/json?all=%zz')).json()).toEqual({ message: 'invalid URL escape "%zz"' });
  // The first of several values counts, as for dockerd.
  await create('listed', '{"Image":"busybox"}');
  expect((await daemon().api.get('/containers/json?all=1&all=0')).json()).toHaveLength(1);
  expect((await daemon().api.get('/containers/json?all=0&all=1')).json()).toEqual([]);
  for (const no of ['', '0', 'no', 'false', 'none', 'NO', 'False'])
    expect((await daemon().api.get(`/containers/json?all=${no}`)).json()).toEqual([]);
  for (const yes of ['1', 'true', 'True', 'yes', 'T', 'anything'])
    expect((await daemon().api.get(`/containers/json?all=${yes}`)).json()).toHaveLength(1);
  await daemon().api.delete('/containers/listed');
});

import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Verdict } from '@gantry/sdk';
import { Guard, refuse } from '../support/authorization-guard';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const sockets = mkdtempSync(join(tmpdir(), 'gantry-authz-'));
const guard = new Guard('guard', sockets);
const second = new Guard('second', sockets);
beforeAll(() => Promise.all([guard.serve(), second.serve()]));
const config = { 'plugin-directories': { sockets, specs: [] }, 'authorization-plugins': ['guard', 'second', 'guard'] };
const daemon = daemonForSuite({ config });
beforeEach(() => {
  guard.reset();
  second.reset();
});
afterEach(() => {
  guard.reset();
  second.reset();
});
afterAll(async () => {
  await Promise.all([guard.close(), second.close()]);
  rmSync(sockets, { recursive: true, force: true });
});

/** Sends bytes as they are, ends our side when told to, and reads what comes. */
async function send(bytes: string | Buffer, endsEarly = false): Promise<{ statuses: number[]; text: string }> {
  const socket = net.connect({ path: daemon().socketPath, allowHalfOpen: true });
  const parts: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (part) => parts.push(part));
  socket.write(bytes);
  if (endsEarly) socket.end();
  await new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', () => resolve());
    // A kept connection does not end: what was asked for is there when nothing more comes.
    socket.on('data', () => setTimeout(resolve, 60));
    setTimeout(resolve, 20_000).unref();
  });
  socket.destroy();
  const text = Buffer.concat(parts).toString();
  return { text, statuses: [...text.matchAll(/HTTP\/1\.\d (\d{3})/g)].map((match) => Number(match[1])) };
}

test('both phases show what dockerd shows, credentials apart', async () => {
  const headers = { 'X-Registry-Auth': 'c2VjcmV0', Authorization: 'Basic secret', 'x-thing': 'one' };
  await daemon().api.post('/v1.51/volumes/create?a=b', { Name: 'seen' }, { headers });
  for (const each of [guard, second]) {
    expect(each.requests).toHaveLength(1);
    expect(each.requests[0]).toMatchObject({
      user: '',
      userAuthMethod: '',
      method: 'POST',
      uri: '/v1.51/volumes/create?a=b',
      body: Buffer.from('{"Name":"seen"}'),
      headers: { 'Content-Type': 'application/json', 'X-Thing': 'one' },
    });
    expect(JSON.stringify(each.requests[0]!.headers)).not.toMatch(/secret|c2Vj|auth/i);
    expect(each.answers[0]!.answer).toMatchObject({ status: 201, headers: { 'Content-Type': 'application/json' } });
    expect(JSON.parse(each.answers[0]!.answer.body!.toString())).toMatchObject({ Name: 'seen' });
    expect(each.answers[0]!.uri).toBe('/v1.51/volumes/create?a=b');
  }
  await daemon().api.delete('/volumes/seen');
});

test('the first refusal counts, in dockerd’s words, and nobody after it is asked (P-AZ-5, P-AZ-6)', async () => {
  guard.judge = () => refuse('not today');
  const answer = await daemon().api.get('/_ping');
  expect(answer.status).toBe(403);
  expect(answer.json()).toEqual({ message: 'authorization denied by plugin guard: not today' });
  expect(second.requests).toHaveLength(0);
  guard.reset();
  second.judge = () => refuse('nor tomorrow');
  expect((await daemon().api.get('/nowhere')).json()).toEqual({
    message: 'authorization denied by plugin second: nor tomorrow',
  });
  expect(guard.answers).toHaveLength(0);
});

test('an answer can be withheld; an error cannot (P-AZ-8)', async () => {
  guard.judgeAnswer = () => refuse('hidden');
  expect(await daemon().api.get('/version')).toMatchObject({ status: 403 });
  const missing = await daemon().api.get('/containers/missing/json');
  expect(missing.status).toBe(404);
  expect(guard.answers.at(-1)!.answer.body).toBeUndefined();
});

test('the answer of a failed request is told without its status, with what every answer carries', async () => {
  const { api } = daemon();
  const created = (await api.post('/containers/create', { Image: 'busybox', Cmd: ['cat'], OpenStdin: true })).json();
  await api.post(`/containers/${created.Id}/start`);
  const failures: [status: number, answer: Promise<{ status: number }>][] = [
    [404, api.get('/v1.51/containers/missing/json')],
    [400, api.get('/v1.51/containers/json?filters=xx')],
    [409, api.delete(`/v1.51/containers/${created.Id}`)],
    [304, api.post(`/v1.51/containers/${created.Id}/start`)],
    [400, api.get('/v9.9/info')],
  ];
  for (const [status, answer] of failures) expect((await answer).status).toBe(status);
  const told = guard.answers.slice(2).map(({ answer }) => answer);
  const carried = {
    'Api-Version': '1.51',
    'Docker-Experimental': 'false',
    Ostype: 'linux',
    Server: expect.any(String),
  };
  expect(told).toEqual(failures.map(() => ({ status: 0, headers: carried, body: undefined })));
  await api.delete(`/containers/${created.Id}?force=1`);
});

test('passwords are not shown, and nothing else hides behind their path (P-AZ-1)', async () => {
  await daemon().api.post('/auth', { username: 'u', password: 'p', serveraddress: '127.0.0.1:1' });
  expect(guard.requests[0]).toMatchObject({ uri: '/auth', body: undefined });
});

test('streams and hijacked connections are asked about when they end (P-AZ-3, P-AZ-9)', async () => {
  const { api, cli } = daemon();
  const id = (await api.post('/containers/create', { Image: 'busybox', Cmd: ['cat'], OpenStdin: true })).json().Id;
  const until = Math.floor(Date.now() / 1000) + 1;
  await api.get(`/events?until=${until}`);
  expect(guard.answers.at(-1)).toMatchObject({
    uri: `/events?until=${until}`,
    answer: { status: 200, body: undefined, headers: { 'X-Gantry-Response-Partial': 'true' } },
  });
  await api.post(`/containers/${id}/start`);
  const attached = await api.hijack(`/containers/${id}/attach?stream=1&stdin=1&stdout=1`);
  expect(attached.status).toBe(101);
  expect(guard.answers.some(({ uri }) => uri.includes('/attach'))).toBe(false);
  await api.post(`/containers/${id}/kill`);
  await eventually('the end of the attach to be told', () => guard.answers.some(({ uri }) => uri.includes('/attach')));
  expect(await cli.ok('run', '--rm', 'busybox', 'echo', 'through')).toBe('through');
  await api.delete(`/containers/${id}?force=1`);
  guard.judge = ({ uri }) => (uri.includes('/attach') ? refuse('no attach') : { allow: true });
  await expect(api.hijack('/containers/x/attach?stream=1')).rejects.toThrow('403');
});

test('archives are streams: neither shown nor held back (P-AZ-1)', async () => {
  const { api } = daemon();
  const archive = await api.get('/images/busybox/get');
  expect(archive.status).toBe(200);
  expect(guard.answers.at(-1)!.answer).toMatchObject({ status: 200, body: undefined });
  const loaded = await api.post('/images/load?quiet=1', undefined, {
    body: archive.body,
    headers: { 'Content-Type': 'application/x-tar' },
  });
  expect(loaded.status).toBe(200);
  expect(guard.requests.at(-1)).toMatchObject({ method: 'POST', body: undefined });
});

const upgrade = ['Connection: Upgrade', 'Upgrade: tcp'];

describe('no way around', () => {
  test('what is too large is refused with 500 and what is ambiguous with 400, and neither is shown (P-AZ-2, P-AZ-4)', async () => {
    const { api } = daemon();
    const oversized = await api.request('POST', '/volumes/create', {
      body: `{"Name":"smuggled"${' '.repeat(5 << 20)}}`,
      headers: { 'Content-Type': 'application/json' },
    });
    expect(oversized.status).toBe(500);
    expect(oversized.json().message).toContain('request body is larger than');
    const twice = await api.request('POST', '/volumes/create', {
      body: '{"Name":"a","Labels":{"x":"1","x":"2"}}',
      headers: { 'Content-Type': 'application/json' },
    });
    expect(twice.status).toBe(400);
    expect(twice.json().message).toContain('the key "x" is given twice');
    expect(guard.requests).toEqual([]);
  });

  const routes = `GET /_ping,HEAD /_ping,GET /version,GET /info,GET /events,GET /system/df,POST /session,POST /grpc,
    POST /auth,POST /build,POST /build/prune,POST /commit,GET /containers/json,POST /containers/create,
    GET /containers/x/json,GET /containers/x/logs,POST /containers/x/start,POST /containers/x/stop,
    POST /containers/x/kill,POST /containers/x/attach,GET /containers/x/attach/ws,POST /containers/x/exec,
    POST /containers/x/resize,POST /containers/x/wait,DELETE /containers/x,GET /containers/x/archive,
    PUT /containers/x/archive,HEAD /containers/x/archive,GET /containers/x/export,POST /containers/prune,
    POST /exec/x/start,GET /exec/x/json,POST /exec/x/resize,GET /images/json,POST /images/create,POST /images/load,
    GET /images/get,DELETE /images/x,POST /images/x/push,POST /images/x/tag,GET /images/search,GET /networks,
    POST /networks/create,DELETE /networks/x,POST /networks/x/connect,GET /volumes,POST /volumes/create,
    DELETE /volumes/x,GET /plugins,POST /plugins/x/disable,POST /swarm/init,GET /distribution/x/json,GET /nowhere,
    OPTIONS /info,PATCH /info,GET /,GET /v9.9/info`.split(/,\s*/);

  test.each([
    ['', []],
    [' with an Upgrade header', upgrade],
  ])('every route is asked about%s (P-AZ-7, P-AZ-10)', async (_how, lines) => {
    guard.judge = () => refuse('nothing passes');
    const outcomes = await Promise.all(
      routes.map(async (route) => {
        const head = [`${route} HTTP/1.1`, 'Host: x', ...(lines.length > 0 ? lines : ['Connection: close'])];
        return [route, (await send(`${head.join('\r\n')}\r\n\r\n`)).statuses];
      }),
    );
    expect(outcomes).toEqual(routes.map((route) => [route, [403]]));
    expect(guard.requests.map(({ method, uri }) => `${method} ${uri}`).sort()).toEqual([...routes].sort());
  });
});

describe('the plugins change', () => {
  const reload = async (keys: object) => {
    const before = daemon().log.length;
    daemon().writeConfig({ ...base, ...keys });
    process.kill(daemon().pid, 'SIGHUP');
    await eventually('the reload', () => /configuration (not )?reloaded/.test(daemon().log.slice(before)));
    return daemon().log.slice(before);
  };
  let base: Record<string, unknown>;
  beforeAll(() => {
    base = JSON.parse(require('node:fs').readFileSync(daemon().configPath, 'utf8'));
  });
  afterEach(async () => void (await reload({})));

  test('with a reload, and a failed one changes nothing (P-AZ-12)', async () => {
    expect((await daemon().api.get('/info')).json().Plugins.Authorization).toEqual(['guard', 'second']);
    expect(await reload({ 'authorization-plugins': ['second', 'missing'] })).toContain('not reloaded');
    await daemon().api.get('/_ping');
    expect(guard.requests.map(({ uri }) => uri)).toEqual(['/info', '/_ping']);
    await reload({ 'authorization-plugins': undefined });
    guard.reset();
    await daemon().api.get('/_ping');
    expect(guard.requests).toHaveLength(1);
    await reload({ 'authorization-plugins': ['second'] });
    guard.reset();
    second.reset();
    await daemon().api.get('/_ping');
    expect([guard.requests.length, second.requests.length]).toEqual([0, 1]);
    await reload({ 'authorization-plugins': [] });
    second.reset();
    expect((await daemon().api.get('/info')).json().Plugins.Authorization).toBeNull();
    expect(second.requests).toEqual([]);
  });

  test('for a request in flight they stay as they were', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { request } = guard;
    guard.request = async (shown) => {
      guard.requests.push(shown);
      await held;
      return { allow: true };
    };
    const answer = daemon().api.get('/version');
    await eventually('the request to be shown', () => guard.requests.length === 1);
    await reload({ 'authorization-plugins': ['guard'] });
    guard.request = request;
    release();
    expect((await answer).status).toBe(200);
    expect([second.requests.length, guard.answers.length, second.answers.length]).toEqual([1, 1, 1]);
  });

  test('one that is gone refuses everything until it is back (P-AZ-6, P-AZ-14)', async () => {
    await second.close();
    const refused = await daemon().api.get('/_ping');
    expect(refused.status).toBe(500);
    expect(refused.json().message).toMatch(/^plugin second failed with error: .*second/);
    await second.serve();
    expect((await daemon().api.get('/_ping')).status).toBe(200);
  });

  test('one that fails, or answers junk, refuses', async () => {
    guard.judge = () => {
      throw new Error('out of order');
    };
    const failed = await daemon().api.get('/_ping');
    expect(failed.status).toBe(500);
    expect(failed.json().message).toMatch(/^plugin guard failed with error: .*out of order/);
    guard.judge = () => ({}) as Verdict;
    expect((await daemon().api.get('/_ping')).status).toBe(403);
  });

  test('after a crash of the daemon they are asked from the first request on', async () => {
    await daemon().kill();
    await daemon().start();
    expect(guard.requests.length).toBeGreaterThan(0);
    guard.judge = () => refuse('still here');
    expect((await daemon().api.get('/_ping')).status).toBe(403);
  });
});

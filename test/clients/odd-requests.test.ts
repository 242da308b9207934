import { connect } from 'node:net';
import { daemonForSuite } from '../support/daemon';
import { eventually } from '../support/eventually';

const daemon = daemonForSuite();

/** Sends bytes as they are and reads until the daemon closes the connection. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(daemon().socketPath, () => socket.write(text));
    let answer = '';
    socket.setTimeout(20_000, () => socket.destroy(new Error(`no end of the answer: ${answer}`)));
    socket.on('data', (data) => {
      answer += data;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

const lines = (...list: string[]) => `${list.join('\r\n')}\r\n\r\n`;

test('HTTP/1.0 clients are answered without chunks', async () => {
  const answer = await raw(lines('GET /v1.41/containers/json HTTP/1.0'));
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(answer).not.toMatch(/chunked/i);
  expect(answer.endsWith('\r\n\r\n[]\n')).toBe(true);
});

test('requests in one packet are answered in their order', async () => {
  const answer = await raw(
    lines('GET /_ping HTTP/1.1', 'Host: d') +
      lines('GET /v1.99/version HTTP/1.1', 'Host: d') +
      lines('HEAD /_ping HTTP/1.1', 'Host: d') +
      lines('GET /v1.41/networks?filters={"name":["none"]} HTTP/1.1', 'Host: d', 'Connection: close'),
  );
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]);
  expect(statuses).toEqual(['200', '400', '200', '200']);
  expect(answer).toContain('"Driver":"null"');
});

test('a body may come in chunks, and after a request to go on', async () => {
  const body = JSON.stringify({ Image: 'busybox', Cmd: ['true'] });
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const chunked = await raw(
    lines(
      'POST /containers/create?name=chunked HTTP/1.1',
      'Host: d',
      'Content-Type: application/json; charset=utf-8',
      'Transfer-Encoding: chunked',
      'Connection: close',
    ) + chunks,
  );
  expect(chunked).toMatch(/^HTTP\/1\.1 201 /);
  const expecting = await raw(
    lines(
      'POST /containers/create?name=expecting HTTP/1.1',
      'Host: d',
      'Content-Type: application/json',
      'Expect: 100-continue',
      `Content-Length: ${body.length}`,
      'Connection: close',
    ) + body,
  );
  expect(expecting).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
});

test('a body needs a type, an empty one does not', async () => {
  const { api } = daemon();
  const post = (headers: Record<string, string>) =>
    api.post('/containers/create', undefined, { body: '{"Image":"busybox"}', headers });
  expect((await post({})).json().message).toBe('malformed Content-Type header (): mime: no media type');
  expect((await post({ 'Content-Type': 'text/plain' })).json().message).toBe(
    "unsupported Content-Type header (text/plain): must be 'application/json'",
  );
  await api.post('/containers/create?name=typeless', { Image: 'busybox', Cmd: ['true'] });
  expect((await api.post('/containers/typeless/start')).status).toBe(204);
});

test('keys are found whatever their case, and single strings are taken for lists', async () => {
  const { api } = daemon();
  const body = { image: 'busybox', CMD: 'true', hostconfig: { memory: 64 << 20 }, unknown: { a: 1 }, Labels: null };
  expect((await api.post('/containers/create?name=anycase', body)).status).toBe(201);
  const shown = (await api.get('/containers/anycase/json')).json();
  expect([shown.Config.Cmd, shown.HostConfig.Memory]).toEqual([['true'], 64 << 20]);
});

test('who reads the log to its end can start the container again at once', async () => {
  const { api } = daemon();
  await api.post('/containers/create?name=again', { Image: 'busybox', Cmd: ['echo', 'hi'] });
  for (let round = 0; round < 5; round++) {
    expect((await api.post('/containers/again/start')).status).toBe(204);
    await api.get('/containers/again/logs?follow=1&stdout=1&stderr=1');
  }
});

test('a container that ended keeps what its health checks found', async () => {
  const { api } = daemon();
  const Healthcheck = { Test: ['CMD', 'true'], Interval: 200e6 };
  await api.post('/containers/create?name=healthy', { Image: 'busybox', Cmd: ['sleep', '600'], Healthcheck });
  await api.post('/containers/healthy/start');
  const health = async () => (await api.get('/containers/healthy/json')).json().State.Health;
  await eventually('the container to be healthy', async () => (await health()).Status === 'healthy');
  await api.post('/containers/healthy/kill');
  expect(await health()).toMatchObject({ Status: 'unhealthy', FailingStreak: 0 });
  expect((await health()).Log.at(-1)).toMatchObject({ ExitCode: 0 });
});

test('times are written as Go writes them', async () => {
  const networks = (await daemon().api.get('/networks')).json<{ Created: string }[]>();
  for (const { Created } of networks) expect(Created).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z$/);
  const made = (await daemon().api.post('/containers/create?name=never', { Image: 'busybox' })).json();
  const { StartedAt, FinishedAt } = (await daemon().api.get(`/containers/${made.Id}/json`)).json().State;
  expect([StartedAt, FinishedAt]).toEqual(['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z']);
});

import { daemonForSuite } from '../support/daemon';
import type { ApiAnswer } from '../support/http-client';

const daemon = daemonForSuite();
const api = () => daemon().api;
const busybox = { Image: 'busybox', Cmd: ['sleep', '600'] };

/** Everything of the daemon that a failed request could leave something half-made in. */
async function inventory(): Promise<string> {
  const [containers, networks, volumes, images] = await Promise.all([
    api().get('/containers/json?all=1'),
    api().get('/networks'),
    api().get('/volumes'),
    api().get('/images/json?all=1'),
  ]);
  const names = [
    ...containers.json<{ Names: string[] }[]>().map((each) => each.Names[0]),
    ...networks.json<{ Name: string }[]>().map((each) => each.Name),
    ...(volumes.json<{ Volumes: { Name: string }[] | null }>().Volumes ?? []).map((each) => each.Name),
    ...images.json<{ Id: string }[]>().map((each) => each.Id),
  ];
  return JSON.stringify(names.sort());
}

function expectError(answer: ApiAnswer, status: number | readonly number[], message: string | RegExp): void {
  if (![status].flat().includes(answer.status)) throw new Error(`not ${status} but ${answer.status} ${answer.text}`);
  expect(answer.headers['content-type']).toBe('application/json');
  expect(Object.keys(answer.json())).toEqual(['message']);
  expect(answer.json().message).toMatch(message);
}

let before: string;
beforeAll(async () => {
  await api().post('/containers/create?name=taken', busybox);
  await api().post('/containers/create?name=up', busybox);
  await api().post('/containers/up/start');
  before = await inventory();
});
afterEach(async () => {
  const after = await inventory();
  // One test's failure is not the next one's.
  if (after !== before) await daemon().removeEverything({ keep: ['taken', 'up'] });
  expect(after).toBe(before);
});

describe('a container that is not there', () => {
  test.each([
    ['GET', '/containers/nope/json'],
    ['GET', '/containers/nope/logs?stdout=1'],
    ['GET', '/containers/nope/top'],
    ['POST', '/containers/nope/start'],
    ['POST', '/containers/nope/stop'],
    ['POST', '/containers/nope/restart'],
    ['POST', '/containers/nope/pause'],
    ['POST', '/containers/nope/unpause'],
    ['POST', '/containers/nope/rename?name=other'],
    ['POST', '/containers/nope/wait'],
    ['POST', '/containers/nope/resize?h=1&w=1'],
    ['DELETE', '/containers/nope'],
  ])('%s %s is 404 and names it', async (method, path) => {
    expectError(await api().request(method, path), 404, /^No such container: nope$/);
  });

  test('kill names it as well', async () => {
    expectError(await api().post('/containers/nope/kill'), 404, /No such container: nope$/);
  });

  test('exec in it is 404, and so is an exec that is not there', async () => {
    expectError(await api().post('/containers/nope/exec', { Cmd: ['true'] }), 404, /^No such container: nope$/);
    expectError(await api().post('/exec/nope/start', {}), 404, /^No such exec instance: nope$/);
    expectError(await api().get('/exec/nope/json'), 404, /^No such exec instance: nope$/);
  });
});

describe('create refuses', () => {
  const create = (body: unknown, query = '') => api().post(`/containers/create${query}`, body);
  const host = (HostConfig: unknown, more: object = {}) => create({ ...busybox, ...more, HostConfig });

  test('an image that is not there', async () => {
    expectError(await create({ Image: 'nothing:9' }), 404, /^No such image: nothing:9$/);
    expectError(await create({ Image: 'nothing' }), 404, /^No such image: nothing:latest$/);
  });

  test('a name in use', async () => {
    const { Id } = (await api().get('/containers/taken/json')).json();
    const message = `Conflict. The container name "/taken" is already in use by container "${Id}". You have to remove (or rename) that container to be able to reuse that name.`;
    const answer = await create(busybox, '?name=taken');
    expectError(answer, 409, /Conflict/);
    expect(answer.json().message).toBe(message);
  });

  test('a name with letters that no name may have', async () => {
    const answer = await create(busybox, '?name=a%20b');
    expectError(answer, 400, /^Invalid container name \(a b\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed$/);
  });

  test('a port that is none', async () => {
    const bindings = (port: string, HostPort: string) => ({ PortBindings: { [port]: [{ HostPort }] } });
    expectError(await host(bindings('80/tcp', '99999')), 400, /invalid port specification: "99999"/);
    expectError(await host(bindings('80/tcp', 'web')), 400, /invalid port specification: "web"/);
    expectError(await host(bindings('eighty/tcp', '80')), 400, /invalid port specification: "eighty"/);
  });

  test('a mount that cannot be', async () => {
    // dockerd 28 answers 500 for what it finds wrong in Binds; 400 says better whose fault it is.
    expectError(await host({ Binds: ['data:relative'] }), [400, 500], /invalid volume specification: 'data:relative'/);
    expectError(await host({ Binds: ['data:/d:sideways'] }), [400, 500], /invalid mode: sideways/);
    expectError(await host({ Binds: ['a:b:c:d'] }), [400, 500], /invalid volume specification: 'a:b:c:d'/);
    expectError(await host({ Binds: ['data:/'] }), [400, 500], /invalid specification: destination can't be '\/'/);
    const missing = { Mounts: [{ Type: 'bind', Source: '/not/there', Target: '/d' }] };
    expectError(
      await host(missing),
      400,
      /invalid mount config for type "bind": bind source path does not exist: \/not\/there/,
    );
    const odd = { Mounts: [{ Type: 'cloud', Source: 'x', Target: '/d' }] };
    expectError(await host(odd), 400, /invalid mount config for type "cloud": mount type unknown/);
    const twice = { Binds: ['a:/same', 'b:/same'] };
    expectError(await host(twice), 400, /^Duplicate mount point: \/same$/);
  });

  test('a volume driver that is not there', async () => {
    const answer = await host({ VolumeDriver: 'nimbus', Binds: ['v:/d'] });
    expectError(answer, 404, /plugin "nimbus" not found/);
  });

  test('a log driver or option that is not there', async () => {
    expectError(
      await host({ LogConfig: { Type: 'parchment' } }),
      400,
      /error looking up logging plugin parchment: plugin "parchment" not found/,
    );
    const options = { LogConfig: { Type: 'json-file', Config: { colour: 'red' } } };
    expectError(await host(options), 400, /unknown log opt 'colour' for json-file log driver/);
  });

  test('a restart policy that is none', async () => {
    const answer = await host({ RestartPolicy: { Name: 'sometimes' } });
    expectError(answer, 400, /invalid restart policy: unknown policy 'sometimes'/);
    const count = await host({ RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } });
    expectError(count, 400, /maximum retry count can only be used with 'on-failure'/);
  });

  test('limits that cannot be', async () => {
    expectError(await host({ Memory: 1000 }), 400, /^Minimum memory limit allowed is 6MB$/);
    expectError(await host({ NanoCpus: 1000 * 1e9 }), 400, /range of CPUs is from 0\.01 to /i);
  });

  test('an unknown runtime', async () => {
    expectError(await host({ Runtime: 'warp' }), 400, /unknown or invalid runtime name: warp/);
  });

  test('what does not fit together', async () => {
    expectError(
      await host({ AutoRemove: true, RestartPolicy: { Name: 'always' } }),
      400,
      /can't create 'AutoRemove' container with restart policy/,
    );
  });

  test('a body that is no JSON, not the right JSON, or none at all', async () => {
    const raw = (body: string, type = 'application/json') =>
      api().request('POST', '/containers/create', { body, headers: { 'Content-Type': type } });
    expectError(await raw('{"Image": "busybox"'), 400, /^invalid JSON: /);
    expectError(await raw('[]'), 400, /^invalid JSON: /);
    expectError(await raw('{"Image": 5}'), 400, /^invalid JSON: .*Image/);
    expectError(await raw('{"Image": "busybox", "Cmd": {"a": 1}}'), 400, /^invalid JSON: /);
    expectError(await raw('{"Image": "busybox"} {"more": 1}'), 400, /JSON/);
    expectError(await raw(''), 400, /^invalid JSON: /);
    expectError(
      await raw('{"Image": "busybox"}', 'text/plain'),
      400,
      /unsupported Content-Type header \(text\/plain\): must be 'application\/json'/,
    );
  });

  test('a container without anything to run', async () => {
    expectError(await create({ Image: 'busybox', Cmd: [], Entrypoint: [''] }), 400, /^no command specified$/i);
  });
});

describe('the state of a container decides', () => {
  test('start of a running one and stop of a stopped one change nothing', async () => {
    expect((await api().post('/containers/up/start')).status).toBe(304);
    expect((await api().post('/containers/taken/stop')).status).toBe(304);
  });

  test('kill, pause, exec of one that does not run', async () => {
    const { Id } = (await api().get('/containers/taken/json')).json();
    expectError(
      await api().post('/containers/taken/kill'),
      409,
      new RegExp(`cannot kill container: taken: container ${Id} is not running`, 'i'),
    );
    expectError(await api().post('/containers/taken/pause'), 409, new RegExp(`Container ${Id} is not running`, 'i'));
    expectError(await api().post('/containers/up/unpause'), 500, /Container \w+ is not paused/);
    expectError(
      await api().post('/containers/taken/exec', { Cmd: ['true'] }),
      409,
      new RegExp(`container ${Id} is not running`, 'i'),
    );
    expectError(await api().post('/containers/up/exec', { Cmd: [] }), 400, /No exec command specified/);
    for (const [User, message] of [
      ['nobody-here', /^unable to find user nobody-here: no matching entries in passwd file$/],
      ['0:no-group', /^unable to find group no-group: no matching entries in group file$/],
      ['-1', /^uids and gids must be in range 0-2147483647$/],
    ] as const)
      expectError(await api().post('/containers/up/exec', { Cmd: ['true'], User }), 400, message);
  });

  test('a running one is removed only by force', async () => {
    const message =
      /^cannot remove container "up": container is running: stop the container before removing or force remove$/;
    expectError(await api().delete('/containers/up'), 409, message);
  });

  test('a signal that is none', async () => {
    expectError(await api().post('/containers/up/kill?signal=NOPE'), 400, /invalid signal: NOPE/i);
  });

  test('rename to a name in use or to none', async () => {
    expectError(
      await api().post('/containers/up/rename?name=taken'),
      409,
      /The container name "\/taken" is already in use by container/,
    );
    expectError(await api().post('/containers/up/rename?name='), 400, /Neither old nor new names may be empty/);
  });

  test('logs of no stream', async () => {
    expectError(await api().get('/containers/up/logs'), 400, /^Bad parameters: you must choose at least one stream$/);
  });
});

describe('start undoes what it began', () => {
  const startOf = async (body: object) => {
    const { Id } = (await api().post('/containers/create', { ...busybox, ...body })).json();
    const answer = await api().post(`/containers/${Id}/start`);
    const { State, NetworkSettings } = (await api().get(`/containers/${Id}/json`)).json();
    await api().delete(`/containers/${Id}?v=1`);
    return { answer, State, NetworkSettings };
  };

  test('a command that is not there', async () => {
    const { answer, State } = await startOf({ Cmd: ['no-such-command'] });
    expectError(answer, 400, /exec: "no-such-command": executable file not found in \$PATH/);
    expect(State).toMatchObject({ Status: 'created', ExitCode: 127, Running: false, Pid: 0 });
  });

  test('a network that is not there', async () => {
    const { answer, State } = await startOf({ HostConfig: { NetworkMode: 'lan-of-nowhere' } });
    expectError(answer, 404, /network lan-of-nowhere not found/);
    expect(State).toMatchObject({ Status: 'created', Running: false, Pid: 0 });
  });

  test('a container to share the network with that is not there', async () => {
    const { answer, State } = await startOf({ HostConfig: { NetworkMode: 'container:nope' } });
    expectError(answer, 404, /No such container: nope/);
    expect(State).toMatchObject({ Status: 'created', Running: false, Pid: 0 });
  });

  test('a port that another container has', async () => {
    const HostConfig = { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } };
    const { Id } = (await api().post('/containers/create', { ...busybox, HostConfig })).json();
    await api().post(`/containers/${Id}/start`);
    const port = (await api().get(`/containers/${Id}/json`)).json().NetworkSettings.Ports['80/tcp'][0].HostPort;
    const same = { HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: port }] } } };
    const { answer, State } = await startOf(same);
    expectError(answer, 500, new RegExp(`Bind for 127\\.0\\.0\\.1:${port} failed: port is already allocated`));
    expect(State).toMatchObject({ Status: 'created', Running: false, Pid: 0 });
    await api().delete(`/containers/${Id}?force=1`);
  });
});

describe('networks, volumes and images', () => {
  test('a network that is not there, in use, or badly described', async () => {
    expectError(await api().get('/networks/nope'), 404, /^network nope not found$/);
    expectError(await api().delete('/networks/nope'), 404, /^network nope not found$/);
    // A name that dockerd keeps for itself is 403, any other name in use 409.
    expectError(await api().post('/networks/create', { Name: 'bridge' }), 403, /bridge/);
    expect((await api().post('/networks/create', { Name: 'mine' })).status).toBe(201);
    expectError(await api().post('/networks/create', { Name: 'mine' }), 409, /^network with name mine already exists$/);
    await api().delete('/networks/mine');
    expectError(
      await api().post('/networks/create', { Name: 'x', Driver: 'tin-cans' }),
      404,
      /plugin "tin-cans" not found/,
    );
    const IPAM = { Config: [{ Subnet: 'ten.dot.something' }] };
    expectError(await api().post('/networks/create', { Name: 'x', IPAM }), 400, /ten\.dot\.something/);
    expectError(await api().post('/networks/create', { Name: '' }), 400, /name/i);
    expectError(await api().post('/networks/bridge/connect', { Container: 'nope' }), 404, /No such container: nope/);
  });

  test('a volume that is not there or badly named', async () => {
    expectError(await api().get('/volumes/nope'), 404, /^get nope: no such volume$/);
    expectError(await api().delete('/volumes/nope'), 404, /^get nope: no such volume$/);
    expectError(
      await api().post('/volumes/create', { Name: '../up' }),
      400,
      /includes invalid characters for a local volume name/,
    );
    expectError(await api().post('/volumes/create', { Name: 'v', Driver: 'nimbus' }), 404, /plugin "nimbus" not found/);
  });

  test('an image that is not there', async () => {
    expectError(await api().get('/images/nope/json'), 404, /No such image: nope(:latest)?$/);
    expectError(await api().delete('/images/nope'), 404, /^No such image: nope:latest$/);
    expectError(await api().post('/images/nope/tag?repo=other'), 404, /^No such image: nope:latest$/);
    expectError(await api().post('/images/busybox/tag?repo=UPPER'), 400, /invalid reference format/);
    expectError(await api().get('/images/nope/history'), 404, /^No such image: nope:latest$/);
  });

  test('a filter that is none', async () => {
    const filters = encodeURIComponent('{"colour":["red"]}');
    for (const path of ['/containers/json', '/images/json', '/networks', '/volumes']) {
      expectError(await api().get(`${path}?filters=${filters}`), 400, /invalid filter 'colour'/i);
    }
    expectError(await api().get('/containers/json?filters=%7Bbroken'), 400, /./);
    expectError(await api().get('/containers/json?limit=many'), 400, /many/);
  });
});

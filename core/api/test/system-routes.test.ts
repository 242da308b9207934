import { reply } from '@gantry/sdk';
import { closeFixtures, connect, get, readUntil, startApi } from './api-fixture';

afterEach(closeFixtures);

test('info merges what plugins contribute and leaves out one that fails', async () => {
  const { socketPath, log } = await startApi([], {
    systemInfo: [
      ['containers', { info: () => ({ Containers: 3, Warnings: ['WARNING: old kernel'] }) }],
      ['volumes', { info: async () => ({ Plugins: { Volume: ['local'] } }) }],
      ['acme', { info: async () => ({ Plugins: { Volume: ['nfs', 'local'], Log: ['x'] }, Warnings: ['second'] }) }],
      ['broken', { info: () => Promise.reject(new Error('no idea')) }],
    ],
  });
  const info = JSON.parse((await get(socketPath, '/info')).body);
  expect(info).toMatchObject({
    Containers: 3,
    Plugins: { Volume: ['local', 'nfs'], Network: [], Log: ['x'], Authorization: null },
    DockerRootDir: '/var/lib/gantry',
    ID: '0123456789abcdef',
    OSType: 'linux',
    Swarm: { LocalNodeState: 'inactive' },
    Labels: ['rack=7'],
    RegistryConfig: {
      InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8', '10.0.0.0/8'],
      IndexConfigs: { 'registry.local:5000': { Secure: false, Official: false } },
    },
  });
  expect(info.Warnings).toEqual(expect.arrayContaining(['WARNING: old kernel', 'second']));
  expect(info.NCPU).toBeGreaterThan(0);
  expect(info.MemTotal).toBeGreaterThan(0);
  expect(log.lines).toContainEqual(
    expect.objectContaining({ level: 'warn', fields: expect.objectContaining({ plugin: 'broken' }) }),
  );
});

test('version names the engine and the components of plugins', async () => {
  const { socketPath } = await startApi([], {
    systemInfo: [['runtime', { components: async () => [{ Name: 'runc', Version: '1.1.5' }] }]],
  });
  const version = JSON.parse((await get(socketPath, '/v1.24/version')).body);
  expect(version).toMatchObject({ Version: '0.1.0', ApiVersion: '1.51', MinAPIVersion: '1.24', Os: 'linux' });
  expect(version.Components.map(({ Name }: { Name: string }) => Name)).toEqual(['Engine', 'runc']);
});

test('disk usage asks only for the wanted types and refuses unknown ones', async () => {
  const asked: string[] = [];
  const { socketPath } = await startApi([], {
    systemInfo: [
      [
        'volumes',
        {
          diskUsage: async (types) => {
            asked.push(...types);
            return types.has('volume') ? { Volumes: [{ Name: 'data' }] } : {};
          },
        },
      ],
    ],
  });
  const df = async (query = '', version = '1.51') =>
    JSON.parse((await get(socketPath, `/v${version}/system/df${query}`)).body);
  const none = { LayersSize: 0, Images: null, Containers: null, BuildCache: null };
  expect(await df('?type=volume')).toEqual({ ...none, Volumes: [{ Name: 'data' }] });
  expect(asked.splice(0)).toEqual(['volume']);
  const all = { LayersSize: 0, Images: [], Containers: [], Volumes: [{ Name: 'data' }], BuildCache: [] };
  expect(await df()).toEqual(all);
  expect(asked.splice(0).sort()).toEqual(['build-cache', 'container', 'image', 'volume']);
  // Clients before 1.42 know no types.
  expect(await df('?type=image', '1.41')).toEqual(all);
  expect(await get(socketPath, '/system/df?type=x')).toMatchObject({ status: 400 });
});

test('those who ask for disk usage at the same time share one answer, and the next one is new', async () => {
  let walks = 0;
  const { socketPath } = await startApi([], {
    systemInfo: [
      [
        'volumes',
        {
          diskUsage: async (types) => {
            if (!types.has('volume')) return {};
            walks += 1;
            await new Promise((resolve) => setTimeout(resolve, 100));
            return { Volumes: [{ Name: `walk ${walks}` }] };
          },
        },
      ],
    ],
  });
  const df = () => get(socketPath, '/system/df?type=volume');
  const bodies = (await Promise.all([df(), df(), df()])).map(({ body }) => body);
  expect(new Set(bodies).size).toBe(1);
  expect(walks).toBe(1);
  await df();
  expect(walks).toBe(2);
});

test('info and disk usage for clients of every age', async () => {
  const { socketPath } = await startApi([], {
    systemInfo: [
      [
        'containers',
        {
          info: () => ({
            RuncCommit: { ID: 'v1.2' },
            SecurityOptions: ['name=seccomp,profile=builtin', 'name=cgroupns'],
            Runtimes: { runc: { path: 'runc', status: { features: '{}' } } },
            FirewallBackend: { Driver: 'nftables' },
            Containerd: { Address: '/x' },
            DiscoveredDevices: [],
          }),
          diskUsage: async (types) =>
            types.has('build-cache') ? { BuildCache: [{ ID: 'a', Size: 7, Parents: ['b'] }] } : {},
        },
      ],
    ],
  });
  const at = async (version: string, path: string) => JSON.parse((await get(socketPath, `/v${version}${path}`)).body);
  const newest = await at('1.51', '/info');
  expect(newest).toMatchObject({ RuncCommit: { ID: 'v1.2' }, InitCommit: { ID: 'N/A' }, DiscoveredDevices: [] });
  expect(newest).not.toHaveProperty('BridgeNfIptables');
  const before50 = await at('1.49', '/info');
  expect(before50).toMatchObject({ BridgeNfIptables: false, FirewallBackend: { Driver: 'nftables' } });
  expect(before50).not.toHaveProperty('DiscoveredDevices');
  const before49 = await at('1.48', '/info');
  expect(before49.RuncCommit).toEqual({ ID: 'v1.2', Expected: 'v1.2' });
  expect(before49).not.toHaveProperty('FirewallBackend');
  expect(before49.RegistryConfig).not.toHaveProperty('AllowNondistributableArtifactsCIDRs');
  expect((await at('1.46', '/info')).RegistryConfig.AllowNondistributableArtifactsCIDRs).toBeNull();
  expect(before50.RegistryConfig).not.toHaveProperty('AllowNondistributableArtifactsCIDRs');
  expect(await at('1.45', '/info')).not.toHaveProperty('Containerd');
  expect((await at('1.43', '/info')).Runtimes).toEqual({ runc: { path: 'runc' } });
  expect(await at('1.24', '/info')).toMatchObject({
    SecurityOptions: ['seccomp', 'cgroupns'],
  });
  expect((await at('1.41', '/system/df')).BuilderSize).toBe(7);
  expect(await at('1.42', '/system/df')).not.toHaveProperty('BuilderSize');
});

test('a build session is refused with the way out', async () => {
  const { socketPath } = await startApi([]);
  const answer = await get(socketPath, '/session', 'POST');
  expect(answer.status).toBe(501);
  expect(answer.body).toContain('BuildKit');
});

test('events shows the past when asked since, and what comes later at once', async () => {
  const { socketPath, events } = await startApi([]);
  const publish = (action: string, type: 'container' | 'network' = 'container') =>
    events.publish({ type, action, actor: { id: 'c1', attributes: { image: 'busybox', name: 'web' } } });
  publish('create');
  publish('connect', 'network');
  const filters = encodeURIComponent(JSON.stringify({ type: ['container'] }));
  const socket = await connect(socketPath);
  socket.write(`GET /events?since=1&filters=${filters} HTTP/1.1\r\nHost: x\r\n\r\n`);
  expect(await readUntil(socket, '"create"')).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  publish('start');
  expect(await readUntil(socket, '"start"')).not.toContain('network');

  const untilNow = (await get(socketPath, `/events?until=${(Date.now() / 1000 + 0.1).toFixed(3)}&since=1`)).body;
  expect(untilNow.match(/"Action"/g)).toHaveLength(3);
  expect((await get(socketPath, '/events?since=10&until=5')).status).toBe(400);
  expect(await get(socketPath, '/events?since=yesterday')).toMatchObject({
    status: 400,
    body: expect.stringContaining('since'),
  });
  expect((await get(socketPath, '/events?filters={"colour":["red"]}')).status).toBe(400);
});

test('events are numbered for those who ask, and go on after a number', async () => {
  const { socketPath, events } = await startApi([], { eventCapacity: 2 });
  const publish = (action: string) =>
    events.publish({ type: 'volume', action, actor: { id: 'v', attributes: { driver: 'local' } } });
  for (const action of ['a', 'b', 'c', 'd']) publish(action);
  const lines = async (query: string) =>
    [...(await get(socketPath, `/events?until=${Date.now() / 1000 + 0.1}&${query}`)).body.matchAll(/^\{.*\}$/gm)].map(
      ([line]) => JSON.parse(line),
    );
  const told = await lines('sequence=1');
  expect(told.map(({ Action, sequence }) => [Action, sequence])).toEqual([
    ['gap', 2],
    ['c', 3],
    ['d', 4],
  ]);
  expect(told[0]).toMatchObject({ Type: 'daemon', Actor: { Attributes: { first: '2', last: '2', missed: '1' } } });
  // Filters do not hide that something is missing, and ordinary readers see no numbers.
  const filtered = await lines('since=1&filters={"type":["volume"],"event":["d"]}');
  expect(filtered.map(({ Action }) => Action)).toEqual(['gap', 'd']);
  expect(filtered[1]).not.toHaveProperty('sequence');
  for (const bad of ['sequence=5', 'sequence=-1', 'sequence=x', 'sequence=1&since=1'])
    expect(await get(socketPath, `/events?${bad}`)).toMatchObject({
      status: 400,
      body: expect.stringContaining('sequence'),
    });
});

test('events without a time shows only the future', async () => {
  const { socketPath, events } = await startApi([]);
  const event = (action: string) => ({ type: 'volume' as const, action, actor: { id: 'v', attributes: {} } });
  events.publish(event('create'));
  const socket = await connect(socketPath);
  socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
  await readUntil(socket, '\r\n\r\n');
  events.publish(event('destroy'));
  expect(await readUntil(socket, 'destroy')).not.toContain('create');
});

describe('parts of the API that no plugin serves', () => {
  test.each([
    ['GET', '/services', 503, /not a swarm manager/],
    ['POST', '/swarm/init', 501, /cluster mode/],
    ['POST', '/build', 501, /no builder/],
    ['POST', '/plugins/pull', 501, /managed plugins/],
    ['GET', '/plugins/acme/nfs/json', 404, /plugin "acme\/nfs" not found/],
  ])('%s %s says what is missing', async (method, path, status, message) => {
    const { socketPath } = await startApi([]);
    const answer = await get(socketPath, path, method);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body).message).toMatch(message);
  });

  test('nothing to prune is no error, so that docker system prune goes on', async () => {
    const { socketPath } = await startApi([]);
    expect((await get(socketPath, '/build/prune', 'POST')).status).toBe(200);
    expect(JSON.parse((await get(socketPath, '/plugins')).body)).toEqual([]);
  });

  test('a plugin that contributes a route of a room takes the room', async () => {
    const { socketPath } = await startApi([
      { method: 'GET', path: '/plugins', handle: () => reply.json(200, ['mine']) },
    ]);
    expect(JSON.parse((await get(socketPath, '/plugins')).body)).toEqual(['mine']);
    expect((await get(socketPath, '/plugins/privileges')).status).toBe(404);
  });
});

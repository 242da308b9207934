import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connectAuthorizationPlugin,
  connectIpamDriver,
  connectNetworkDriver,
  connectPlugin,
  noRetry,
  type PluginClient,
} from '../../client';
import type { AuthorizationPlugin } from '../../contracts/authz';
import type { IpamDriver } from '../../contracts/ipam-driver';
import type { EndpointOptions, NetworkDriver } from '../../contracts/network-driver';
import { conflict, unavailable } from '../../errors';
import { serve } from '..';

let folder: string;
let close: () => Promise<void>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gantry-kinds-'));
});
afterEach(async () => {
  await close();
  await rm(folder, { recursive: true });
});

async function connectTo(drivers: Parameters<typeof serve>[0]['drivers']): Promise<PluginClient> {
  const served = await serve({ drivers, socketPath: join(folder, 'x.sock') });
  const client = connectPlugin({ name: 'x', address: served.address, retry: noRetry });
  close = async () => {
    client.close();
    await served.close();
  };
  return client;
}

/** A plugin of somebody else's: answers by method, 404 otherwise, and keeps the bodies. */
async function connectToRaw(answers: Record<string, object>): Promise<{ client: PluginClient; bodies: string[] }> {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    const answer = answers[(request.url ?? '').slice(1)];
    response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((done) => server.listen(join(folder, 'raw.sock'), done));
  const client = connectPlugin({ name: 'raw', address: join(folder, 'raw.sock'), retry: noRetry });
  close = async () => {
    client.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  return { client, bodies };
}

const endpointOptions: EndpointOptions = {
  exposedPorts: [{ proto: 'tcp', port: 80 }],
  portMap: [{ proto: 'udp', port: 53, hostIp: '127.0.0.1', hostPort: 5353, hostPortEnd: 5360 }],
  generic: { 'acme.speed': 'fast' },
};

/** A driver that remembers its calls. */
function recordingNetworkDriver() {
  const calls: unknown[][] = [];
  const record =
    <T>(name: string, result: T) =>
    async (...args: unknown[]): Promise<T> => {
      calls.push([name, ...args]);
      return result;
    };
  const driver: NetworkDriver = {
    capabilities: record('capabilities', {
      scope: 'local',
      connectivityScope: 'global',
      gwAllocChecker: false,
    } as const),
    createNetwork: record('createNetwork', undefined),
    deleteNetwork: record('deleteNetwork', undefined),
    createEndpoint: record('createEndpoint', { macAddress: '02:00:00:00:00:01' }),
    deleteEndpoint: record('deleteEndpoint', undefined),
    endpointInfo: record('endpointInfo', { vlan: 7 }),
    join: record('join', {
      interfaceName: { srcName: 'veth1', dstPrefix: 'eth' },
      gateway: '10.1.0.1',
      staticRoutes: [{ destination: '10.9.0.0/16', routeType: 1, nextHop: '' }] as const,
      disableGatewayService: false,
    }),
    leave: record('leave', undefined),
    revokeExternalConnectivity: record('revokeExternalConnectivity', undefined),
  };
  return { driver, calls };
}

test('a network driver behind a socket is told and tells what one in process is told and tells', async () => {
  const use = async (driver: NetworkDriver) => [
    await driver.capabilities(),
    await driver.createNetwork(
      'n1',
      { generic: { mode: 'l2' }, enableIPv4: true, enableIPv6: true, internal: true },
      [
        {
          addressSpace: 'LocalDefault',
          pool: '10.1.0.0/16',
          gateway: '10.1.0.1/16',
          auxAddresses: { dns: '10.1.0.2/16' },
        },
      ],
      [],
    ),
    await driver.createEndpoint(
      'n1',
      'e1',
      { address: '10.1.0.3/16', addressIPv6: '', macAddress: '' },
      endpointOptions,
    ),
    await driver.endpointInfo('n1', 'e1'),
    // Only the ports: Join is told of the sandbox, not of the endpoint (P-NET-9).
    await driver.join('n1', 'e1', '/run/netns/x', { ...endpointOptions, generic: {} }),
    await driver.revokeExternalConnectivity?.('n1', 'e1'),
    await driver.leave('n1', 'e1'),
    await driver.deleteEndpoint('n1', 'e1'),
    await driver.deleteNetwork('n1'),
  ];
  const here = recordingNetworkDriver();
  const there = recordingNetworkDriver();
  const client = await connectTo({ network: there.driver });
  expect((await client.activate()).implements).toEqual(['NetworkDriver']);
  expect(await use(connectNetworkDriver(client))).toEqual(await use(here.driver));
  expect(there.calls).toEqual(here.calls);
});

test('a network driver without external connectivity has nothing to do there', async () => {
  const { driver } = recordingNetworkDriver();
  const remote = connectNetworkDriver(await connectTo({ network: driver }));
  expect(await remote.programExternalConnectivity?.('n1', 'e1', endpointOptions)).toEqual([]);
});

test('the requests of a network driver are on the wire as plugins know them', async () => {
  const { client, bodies } = await connectToRaw({ 'NetworkDriver.CreateNetwork': {}, 'NetworkDriver.Join': {} });
  const driver = connectNetworkDriver(client);
  await driver.createNetwork(
    'n1',
    { generic: { a: 'b' }, enableIPv4: true, enableIPv6: false, internal: false },
    [],
    [],
  );
  await driver.join('n1', 'e1', '/run/netns/x', endpointOptions);
  expect(bodies).toEqual([
    '{"NetworkID":"n1","Options":{"com.docker.network.enable_ipv4":true,"com.docker.network.enable_ipv6":false,"com.docker.network.generic":{"a":"b"}},"IPv4Data":[],"IPv6Data":[]}\n',
    '{"NetworkID":"n1","EndpointID":"e1","SandboxKey":"/run/netns/x","Options":{"com.docker.network.endpoint.exposedports":[{"Proto":6,"Port":80}],"com.docker.network.portmap":[{"Proto":17,"IP":"","Port":53,"HostIP":"127.0.0.1","HostPort":5353,"HostPortEnd":5360}]}}\n',
  ]);
});

test('a network driver that changes an address it was given is refused and undone', async () => {
  const { client, bodies } = await connectToRaw({
    'NetworkDriver.CreateEndpoint': { Interface: { Address: '10.1.0.9/16' } },
    'NetworkDriver.DeleteEndpoint': {},
  });
  const given = { address: '10.1.0.3/16', addressIPv6: '', macAddress: '' };
  await expect(connectNetworkDriver(client).createEndpoint('n1', 'e1', given, endpointOptions)).rejects.toThrow(
    'remote: plugin "raw" changed the address it was given for endpoint e1',
  );
  expect(bodies.at(-1)).toBe('{"NetworkID":"n1","EndpointID":"e1"}\n');
});

test('a network driver with an unknown scope is refused', async () => {
  const { client } = await connectToRaw({ 'NetworkDriver.GetCapabilities': { Scope: 'Local' } });
  await expect(connectNetworkDriver(client).capabilities()).rejects.toThrow('expected local or global');
});

test('an IPAM driver behind a socket keeps answers and kinds of errors, told in its own error field', async () => {
  const driver: IpamDriver = {
    capabilities: async () => ({ requiresMacAddress: true, requiresRequestReplay: false }),
    defaultAddressSpaces: async () => ({ local: 'L', global: 'G' }),
    requestPool: async ({ pool, subPool, v6 }) => ({ poolId: `${pool}|${subPool}|${v6}`, pool, data: { k: 'v' } }),
    releasePool: async () => {},
    requestAddress: async (_pool, address) => {
      if (address === '10.0.0.9') throw conflict('address is taken');
      return '10.0.0.2/24';
    },
    releaseAddress: async () => {
      throw unavailable('no');
    },
  };
  const client = await connectTo({ ipam: driver });
  const remote = connectIpamDriver(client);
  expect(await remote.capabilities()).toEqual({ requiresMacAddress: true, requiresRequestReplay: false });
  expect(await remote.defaultAddressSpaces()).toEqual({ local: 'L', global: 'G' });
  const request = { addressSpace: 'L', pool: '10.0.0.0/24', subPool: '', options: {}, v6: false };
  expect(await remote.requestPool({ ...request, avoid: ['10.1.0.0/16'] })).toEqual(await driver.requestPool(request));
  expect(await remote.requestAddress('p', '', {})).toBe('10.0.0.2/24');
  await expect(remote.requestAddress('p', '10.0.0.9', {})).rejects.toMatchObject({
    kind: 'conflict',
    message: 'remote: address is taken',
  });
});

test('an IPAM driver without capabilities has none, and an empty address is an error', async () => {
  const { client } = await connectToRaw({ 'IpamDriver.RequestAddress': { Address: '' } });
  const driver = connectIpamDriver(client);
  expect(await driver.capabilities()).toEqual({ requiresMacAddress: false, requiresRequestReplay: false });
  await expect(driver.requestAddress('p', '', {})).rejects.toThrow('gave an empty address for pool p');
});

const question = {
  user: 'ada',
  userAuthMethod: 'TLS',
  method: 'POST',
  uri: '/v1.51/containers/create?name=x',
  headers: { 'Content-Type': 'application/json' },
  body: Buffer.from('{"Image":"x"}'),
  peerCertificatesPem: ['-----BEGIN CERTIFICATE-----'],
};

test('an authorization plugin sees the request as it is, and its refusal comes back', async () => {
  const seen: unknown[] = [];
  const plugin: AuthorizationPlugin = {
    async request(request) {
      seen.push(request);
      return { allow: false, message: 'not you' };
    },
    async response(request, response) {
      seen.push(request, response);
      return { allow: true };
    },
  };
  const remote = connectAuthorizationPlugin(await connectTo({ authorization: plugin }));
  const { signal } = new AbortController();
  expect(await remote.request(question, signal)).toEqual({ allow: false, message: 'not you' });
  const response = { status: 201, headers: { A: 'b' }, body: Buffer.from('{}') };
  expect(await remote.response(question, response, signal)).toEqual({ allow: true });
  expect(seen).toEqual([question, question, response]);
});

test('an authorization plugin that says Err, or nothing clear, does not allow', async () => {
  const { client, bodies } = await connectToRaw({
    'AuthZPlugin.AuthZReq': { Allow: true, Err: 'my disk is full' },
    'AuthZPlugin.AuthZRes': { Allow: 'true' },
  });
  const remote = connectAuthorizationPlugin(client);
  const { signal } = new AbortController();
  await expect(remote.request(question, signal)).rejects.toThrow('my disk is full');
  expect(JSON.parse(bodies[0]!)).toEqual({
    User: 'ada',
    UserAuthNMethod: 'TLS',
    RequestMethod: 'POST',
    RequestUri: '/v1.51/containers/create?name=x',
    RequestBody: 'eyJJbWFnZSI6IngifQ==',
    RequestHeaders: { 'Content-Type': 'application/json' },
    RequestPeerCertificates: ['LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t'],
  });
  const response = { status: 0, headers: {}, body: undefined };
  expect(await remote.response({ ...question, body: undefined }, response, signal)).toEqual({
    allow: false,
    message: '',
  });
});

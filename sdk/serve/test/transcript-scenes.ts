import {
  connectAuthorizationPlugin,
  connectIpamDriver,
  connectMetricsCollector,
  connectNetworkDriver,
  connectSecretProvider,
  connectVolumeDriver,
  type PluginClient,
} from '../../client';
import type { LogInfo } from '../../contracts/log-driver';
import { conflict, invalidParameter, notFound, unavailable } from '../../errors';
import { encodeLogInfo, encodeReadConfig, logDriverMethods } from '../../wire';
import type { ServeOptions } from '..';

/** One call of the engine, by rule id and what happens. */
export type Scene = readonly [title: string, call: (client: PluginClient) => Promise<unknown>];

/** The life of a plugin of one kind: what it is, and what the engine asks of it. */
export interface Life {
  readonly drivers: ServeOptions['drivers'];
  readonly scenes: readonly Scene[];
}

const id = (sign: string) => sign.repeat(64);
const activate: Scene = ['P-ACT-1 the handshake', (client) => client.activate()];

const volume = (): Life => {
  const scene =
    (call: (driver: ReturnType<typeof connectVolumeDriver>) => Promise<unknown>) => (client: PluginClient) =>
      call(connectVolumeDriver(client));
  const books = { name: 'books', mountpoint: '/srv/books' };
  return {
    drivers: {
      volume: {
        capabilities: async () => ({ scope: 'global' }),
        async create(_name, options) {
          if ('colour' in options) throw invalidParameter('there is no option "colour"');
        },
        async remove() {
          throw conflict('volume books is mounted');
        },
        mount: async () => '/srv/books',
        unmount: async () => {},
        path: async () => '/srv/books',
        async get(name) {
          if (name !== 'books') throw notFound(`no such volume: ${name}`);
          return { ...books, createdAt: new Date(Date.UTC(2026, 0, 2)), status: { size: 7 } };
        },
        list: async () => [books],
      },
    },
    scenes: [
      activate,
      ['P-VOL-7 the scope', scene((driver) => driver.capabilities())],
      ['P-VOL-1 a volume that is not there', scene((driver) => driver.get('films'))],
      ['P-VOL-1 creation with options', scene((driver) => driver.create('books', { size: '1', 'a&b': '<c>' }))],
      ['P-VOL-1 creation without options', scene((driver) => driver.create('books', {}))],
      ['P-CALL-8 an option that is refused', scene((driver) => driver.create('books', { colour: 'red' }))],
      ['P-VOL-8 a volume', scene((driver) => driver.get('books'))],
      ['P-CALL-4 all volumes', scene((driver) => driver.list())],
      ['P-VOL-6 where a volume is', scene((driver) => driver.path('books'))],
      ['P-VOL-3 a mount', scene((driver) => driver.mount('books', id('a')))],
      ['P-VOL-3 its end', scene((driver) => driver.unmount('books', id('a')))],
      ['P-CALL-8 a volume that cannot go', scene((driver) => driver.remove('books'))],
      [
        'P-CALL-9 a method that nobody has',
        (client) => client.call({ method: 'VolumeDriver.Snapshot', body: {}, timeoutMs: 5000, repeatable: true }),
      ],
    ],
  };
};

const network = (): Life => {
  const scene =
    (call: (driver: ReturnType<typeof connectNetworkDriver>) => Promise<unknown>) => (client: PluginClient) =>
      call(connectNetworkDriver(client));
  const options = { generic: { z: '1', speed: 'fast' }, enableIPv4: true, enableIPv6: true, internal: true };
  const ipv4 = { addressSpace: 'L', pool: '10.1.0.0/16', gateway: '10.1.0.1/16', auxAddresses: { dns: '10.1.0.2/16' } };
  const ipv6 = { addressSpace: 'L', pool: 'fd00:1::/64', auxAddresses: {} };
  const ports = {
    exposedPorts: [{ proto: 'tcp', port: 80 }] as const,
    portMap: [{ proto: 'udp', port: 53, hostIp: '127.0.0.1', hostPort: 5353, hostPortEnd: 5360 }] as const,
  };
  const endpoint = { ...ports, generic: { k: 'v' }, dnsServers: ['9.9.9.9'], macAddress: '02:42:c6:12:5e:14' };
  const given = { address: '10.1.0.3/16', addressIPv6: 'fd00:1::3/64', macAddress: '' };
  const node = { address: '192.0.2.1', bindAddress: '192.0.2.2', self: true };
  return {
    drivers: {
      network: {
        capabilities: async () => ({ scope: 'global', connectivityScope: 'local', gwAllocChecker: true }),
        gwAllocCheck: async () => ({ skipIPv4: false, skipIPv6: true }),
        allocateNetwork: async () => ({ vlan: '7' }),
        freeNetwork: async () => {},
        createNetwork: async () => {},
        async deleteNetwork() {
          throw conflict('the network has endpoints');
        },
        createEndpoint: async () => ({ macAddress: '02:00:00:00:00:01' }),
        deleteEndpoint: async () => {},
        endpointInfo: async () => ({ vlan: 7 }),
        join: async () => ({
          interfaceName: { srcName: 'veth1', dstPrefix: 'eth' },
          gateway: '10.1.0.1',
          gatewayIPv6: 'fd00:1::1',
          staticRoutes: [{ destination: '10.9.0.0/16', routeType: 1, nextHop: '' }],
        }),
        leave: async () => {},
        discover: async () => {},
      },
    },
    scenes: [
      activate,
      ['P-NET-1 the scopes', scene((driver) => driver.capabilities())],
      ['P-NET-5 who chooses gateways', scene((driver) => driver.gwAllocCheck!(options))],
      ['P-NET-4 allocation by a manager', scene((driver) => driver.allocateNetwork!('n1', { a: 'b' }, [ipv4], []))],
      ['P-NET-4 its end', scene((driver) => driver.freeNetwork!('n1'))],
      ['P-NET-3 a network', scene((driver) => driver.createNetwork('n1', options, [ipv4], [ipv6]))],
      ['P-NET-9 an endpoint', scene((driver) => driver.createEndpoint('n1', 'e1', given, endpoint))],
      [
        'P-NET-9 an endpoint of an internal network',
        scene((driver) => driver.createEndpoint('n1', 'e2', given, { ...endpoint, isInternal: true })),
      ],
      ['P-NET-9 a container joins', scene((driver) => driver.join('n1', 'e1', '/run/docker/netns/1', endpoint))],
      ['P-NET-6 about an endpoint', scene((driver) => driver.endpointInfo('n1', 'e1'))],
      [
        'P-NET-10 ports, of a driver that has no say in them',
        scene((driver) => driver.programExternalConnectivity!('n1', 'e1', endpoint)),
      ],
      ['P-NET-10 no ports any more', scene((driver) => driver.revokeExternalConnectivity!('n1', 'e1'))],
      ['P-NET-7 the container leaves', scene((driver) => driver.leave('n1', 'e1'))],
      ['P-NET-7 the end of the endpoint', scene((driver) => driver.deleteEndpoint('n1', 'e1'))],
      ['P-CALL-8 a network that cannot go', scene((driver) => driver.deleteNetwork('n1'))],
      ['P-NET-11 a node comes', scene((driver) => driver.discover!('new', node))],
      ['P-NET-11 a node goes', scene((driver) => driver.discover!('delete', node))],
    ],
  };
};

const ipam = (): Life => {
  const scene = (call: (driver: ReturnType<typeof connectIpamDriver>) => Promise<unknown>) => (client: PluginClient) =>
    call(connectIpamDriver(client));
  const request = { addressSpace: 'L', pool: '', subPool: '', options: { x: 'y' }, v6: false };
  return {
    drivers: {
      ipam: {
        capabilities: async () => ({ requiresMacAddress: true, requiresRequestReplay: false }),
        defaultAddressSpaces: async () => ({ local: 'L', global: 'G' }),
        async requestPool({ v6 }) {
          if (v6) throw invalidParameter('there are no IPv6 pools');
          return { poolId: 'p1', pool: '10.1.0.0/16', data: { 'com.docker.network.gateway': '10.1.0.1/16' } };
        },
        releasePool: async () => {},
        async requestAddress(_pool, address) {
          if (address === '10.1.0.9') throw conflict('10.1.0.9 is taken');
          return '10.1.0.2/16';
        },
        async releaseAddress() {
          throw unavailable('the ledger is locked');
        },
      },
    },
    scenes: [
      activate,
      ['P-IPAM-7 what the driver wants', scene((driver) => driver.capabilities())],
      ['P-CALL-4 the address spaces', scene((driver) => driver.defaultAddressSpaces())],
      ['P-IPAM-1 any free pool', scene((driver) => driver.requestPool(request))],
      ['P-CALL-8 an error is told in Error', scene((driver) => driver.requestPool({ ...request, v6: true }))],
      [
        'P-IPAM-1 the address of the gateway',
        scene((driver) => driver.requestAddress('p1', '', { RequestAddressType: 'com.docker.network.gateway' })),
      ],
      ['P-IPAM-4 an address that is taken', scene((driver) => driver.requestAddress('p1', '10.1.0.9', {}))],
      ['P-CALL-8 an address that cannot be released', scene((driver) => driver.releaseAddress('p1', '10.1.0.2'))],
      ['P-IPAM-2 the end of the pool', scene((driver) => driver.releasePool('p1'))],
    ],
  };
};

const log = (): Life => {
  const info: LogInfo = {
    containerId: id('c'),
    containerName: 'talker',
    imageId: `sha256:${id('d')}`,
    imageName: 'busybox',
    entrypoint: 'sh',
    args: ['-c', 'echo hi && echo "<there>"'],
    createdAt: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
    env: ['X=1'],
    labels: { z: '1', a: 'b' },
    logPath: '',
    options: { labels: 'a', env: 'X' },
    deliveryOptions: { mode: 'non-blocking', 'max-buffer-size': '2m' },
  };
  // In place of a FIFO: a file that has ended.
  const File = '/dev/null';
  const start = (of: LogInfo) => (client: PluginClient) =>
    client.call({ ...logDriverMethods.startLogging, body: { File, Info: encodeLogInfo(of, 'docker') } });
  const read = (of: LogInfo, options: Parameters<typeof encodeReadConfig>[0]) => async (client: PluginClient) => {
    const body = { Info: encodeLogInfo(of, 'docker'), Config: encodeReadConfig(options) };
    const chunks: Buffer[] = [];
    for await (const chunk of await client.stream({ ...logDriverMethods.readLogs, body })) chunks.push(chunk);
    return Buffer.concat(chunks).toString('hex');
  };
  return {
    drivers: {
      log: {
        validate(options) {
          if ('colour' in options) throw invalidParameter("unknown log opt 'colour'");
        },
        open: async () => ({ write: async () => {}, flush: async () => {}, close: async () => {} }),
        async *read({ containerName }) {
          if (containerName !== 'talker') throw notFound(`there is no log of ${containerName}`);
          yield [{ source: 'stdout', timeNs: 300n, line: Buffer.from('hi\n') }];
        },
      },
    },
    scenes: [
      activate,
      ['P-CALL-9 what the plugin can', (client) => client.call(logDriverMethods.capabilities)],
      ['P-LOG-1 a container starts', start(info)],
      ['P-LOG-10 an option that is refused', start({ ...info, options: { colour: 'red' } })],
      ['P-LOG-3 it stops', (client) => client.call({ ...logDriverMethods.stopLogging, body: { File } })],
      ['P-LOG-8 the whole log', read(info, { follow: false })],
      [
        'P-LOG-8 a part of the log',
        read(info, { follow: true, tail: 5, sinceNs: 1_700_000_000_500_000_000n, untilNs: 1_800_000_000_000_000_000n }),
      ],
      ['P-CALL-8 a log that is not there', read({ ...info, containerName: 'mute' }, { follow: false })],
    ],
  };
};

const authz = (): Life => {
  const { signal } = new AbortController();
  const create = {
    user: 'ada',
    userAuthMethod: 'TLS',
    method: 'POST',
    uri: '/v1.51/volumes/create?a=1&b=2',
    headers: { 'X-Foo': '2', 'Content-Type': 'application/json', 'Content-Length': '16' },
    body: Buffer.from('{"Name":"books"}'),
    peerCertificatesPem: ['-----BEGIN CERTIFICATE-----\n'],
  };
  const ping = {
    ...create,
    ...{ user: '', userAuthMethod: '', method: 'GET', uri: '/_ping', headers: {}, body: undefined },
    peerCertificatesPem: [],
  };
  const made = {
    status: 201,
    headers: { Server: 'x', 'Api-Version': '1.51' },
    body: Buffer.from('{"Name":"books"}\n'),
  };
  const streamed = { status: 200, headers: { 'X-Gantry-Response-Partial': 'true' }, body: undefined };
  return {
    drivers: {
      authorization: {
        request: async ({ method }) =>
          method === 'GET' ? { allow: true } : { allow: false, message: '<not> you & not now' },
        response: async ({ method }) => {
          if (method === 'GET') throw unavailable('the list cannot be read');
          return { allow: true };
        },
      },
    },
    scenes: [
      activate,
      [
        'P-AZ-1 a request with a body is denied',
        (client) => connectAuthorizationPlugin(client).request(create, signal),
      ],
      [
        'P-AZ-1 a request without a body is allowed',
        (client) => connectAuthorizationPlugin(client).request(ping, signal),
      ],
      ['P-AZ-3 an answer', (client) => connectAuthorizationPlugin(client).response(create, made, signal)],
      [
        'P-AZ-3 an answer that was sent already; the plugin fails',
        (client) => connectAuthorizationPlugin(client).response(ping, streamed, signal),
      ],
      [
        'P-AZ-8 the answer of a handler that failed',
        (client) =>
          connectAuthorizationPlugin(client).response(create, { status: 0, headers: {}, body: undefined }, signal),
      ],
    ],
  };
};

const metrics = (): Life => ({
  drivers: {
    metrics: {
      startMetrics: async () => {},
      stopMetrics: async () => {
        throw unavailable('the disk is full');
      },
    },
  },
  scenes: [
    activate,
    ['P-MET-2 metrics can be read', (client) => connectMetricsCollector(client).startMetrics()],
    ['P-MET-2 the end fails', (client) => connectMetricsCollector(client).stopMetrics()],
  ],
});

const secret = (): Life => {
  const token = { secretName: 'token', secretLabels: { z: '1', a: 'b' }, serviceLabels: {} };
  const port = { name: 'web', protocol: 0, targetPort: 80, publishedPort: 8080, publishMode: 1 };
  const task = {
    ...{ serviceHostname: 'h', serviceId: 's1', serviceName: 'web', serviceLabels: { tier: 'front' } },
    ...{
      serviceEndpoint: { mode: 0, ports: [port] },
      taskId: 't1',
      taskName: 'web.1',
      taskImage: 'nginx',
      nodeId: 'n1',
    },
  };
  return {
    drivers: {
      secret: {
        async getSecret({ secretName, taskId }) {
          if (secretName !== 'token') throw notFound(`no such secret: ${secretName}`);
          return { value: Buffer.from('s3cret'), doNotReuse: taskId !== undefined };
        },
      },
    },
    scenes: [
      activate,
      ['P-SEC-1 a secret', (client) => connectSecretProvider(client).getSecret(token)],
      ['P-SEC-2 a secret for a task', (client) => connectSecretProvider(client).getSecret({ ...token, ...task })],
      [
        'P-CALL-8 a secret that is not there',
        (client) => connectSecretProvider(client).getSecret({ ...token, secretName: 'key' }),
      ],
    ],
  };
};

/** Every kind of plugin that the protocol knows. */
export const lives: Readonly<Record<string, () => Life>> = { volume, network, ipam, log, authz, metrics, secret };

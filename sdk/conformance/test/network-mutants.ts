import type { NetworkDriver } from '../../contracts/network-driver';
import { change, type Mutants, when, wireMutants } from './mutants';

const on = (name: string) => `NetworkDriver.${name}`;
const failing = { status: 200, text: '{"Err":"broken on purpose"}' };
const broken = (): never => {
  throw new Error('broken on purpose');
};
const joined = (changed: (result: Awaited<ReturnType<NetworkDriver['join']>>) => object) => ({
  driver: (d: NetworkDriver): NetworkDriver => ({
    ...d,
    join: async (...args) => ({ ...(await d.join(...args)), ...changed(await infoOf(d, args)) }),
  }),
});
const infoOf = async (d: NetworkDriver, [network, endpoint]: readonly unknown[]) => {
  const info = await d.endpointInfo(network as string, endpoint as string);
  return { interfaceName: { srcName: String(info.interface), dstPrefix: 'eth' } };
};

export const networkMutants: Mutants<NetworkDriver> = {
  ...wireMutants('network', 'NetworkDriver', on('EndpointOperInfo')),
  'network.wire.empty-body': {
    fault: when(
      on('GetCapabilities'),
      () => 400,
      ({ headers }) => !headers.accept,
    ),
  },
  'network.capabilities': { fault: change(on('GetCapabilities'), (answer) => ({ ...answer, Scope: 'Local' })) },
  'network.delete': {
    fault: () => {
      const kept = new Set<string>();
      return ({ method, body }) => {
        if (method === on('CreateNetwork') && Array.isArray(body.IPv6Data)) kept.add(body.NetworkID);
        return method === on('DeleteNetwork') && kept.has(body.NetworkID) ? failing : undefined;
      };
    },
  },
  'network.dual-stack': {
    driver: (d) => ({ ...d, createNetwork: async (...a) => (a[3].length > 0 ? broken() : d.createNetwork(...a)) }),
  },
  'network.no-gateway': {
    driver: (d) => ({ ...d, createNetwork: async (...a) => (a[1].internal ? broken() : d.createNetwork(...a)) }),
  },
  'network.null-pools': {
    fault: when(
      on('CreateNetwork'),
      () => failing,
      ({ body }) => !Array.isArray(body.IPv6Data),
    ),
  },
  'network.engine-options': {
    fault: when(
      on('CreateNetwork'),
      () => failing,
      ({ body }) => 'com.docker.network.conformance' in body.Options,
    ),
  },
  'network.refused-option': {
    driver: (d) => ({
      ...d,
      createNetwork: (id, options, ipv4, ipv6) => d.createNetwork(id, { ...options, generic: {} }, ipv4, ipv6),
    }),
  },
  'network.gateway-check': { fault: change(on('GwAllocCheck'), () => ({ SkipIPv4: 'no' })) },
  'network.allocate': { fault: change(on('AllocateNetwork'), () => ({ Options: { id: 1 } })) },
  'network.discovery': { fault: when(on('DiscoverNew'), () => 500) },
  'network.endpoint.absent-network': {
    driver: (d) => ({
      ...d,
      createEndpoint: (...a) =>
        d.createEndpoint(...a).catch((e) => (/no such network/.test(e.message) ? {} : Promise.reject(e))),
    }),
  },
  'network.endpoint.given': {
    driver: (d) => ({
      ...d,
      createEndpoint: async (...a) => ({ ...(await d.createEndpoint(...a)), ...(a[2].macAddress ? a[2] : {}) }),
    }),
  },
  'network.endpoint.chosen': {
    driver: (d) => ({
      ...d,
      createEndpoint: async (...a) => {
        const { macAddress } = await d.createEndpoint(...a);
        return macAddress === undefined ? {} : { macAddress: macAddress.replaceAll(':', '-') };
      },
    }),
  },
  'network.endpoint.options': {
    fault: when(
      on('CreateEndpoint'),
      () => failing,
      ({ body }) => 'com.docker.network.endpoint.dnsservers' in (body.Options ?? {}),
    ),
  },
  'network.endpoint.info': { fault: change(on('EndpointOperInfo'), () => ({ Value: ['eth0'] })) },
  'network.endpoint.delete': { driver: (d) => ({ ...d, deleteEndpoint: async () => {} }) },
  'network.join.interface': joined(({ interfaceName }) => ({
    interfaceName: { srcName: `${interfaceName!.srcName}-much-too-long`, dstPrefix: 'eth' },
  })),
  'network.join.gateway': joined(() => ({ gateway: '198.18.77.1/24' })),
  'network.join.routes': joined(() => ({
    staticRoutes: [{ destination: '198.19.1.0', routeType: 1, nextHop: '' }],
  })),
  'network.join.absent': {
    driver: (d) => ({
      ...d,
      join: (...a) => d.join(...a).catch((e) => (/no such endpoint/.test(e.message) ? {} : Promise.reject(e))),
    }),
  },
  'network.leave': { driver: (d) => ({ ...d, leave: async () => {} }) },
  'network.parallel': joined(() => ({ interfaceName: { srcName: 'same', dstPrefix: 'eth' } })),
  'network.external': { fault: when(on('ProgramExternalConnectivity'), () => failing) },
};

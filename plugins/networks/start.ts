import { join } from 'node:path';
import type {
  ApiRoutes,
  DriverSet,
  DriverUsers,
  EventBus,
  IpamDriver,
  NetworkDriver,
  NetworkManager,
  PluginContext,
  SystemInfo,
} from '@gantry/sdk';
import { networkRoutes } from './api/network-routes';
import { requestSubject } from './api/request-subject';
import { createDefaultIpam } from './ipam/default-ipam';
import { builtInPools, readPool, uniqueLocalPool } from './ipam/default-pools';
import { createNullIpam } from './ipam/null-ipam';
import { ForeignIpam } from './ipam/request-replay';
import { createNetworkManager } from './manager';
import { networkInfo } from './network-info';
import { hostRoutes } from './networks/host-routes';
import { NetworkRegistry } from './networks/network-registry';
import type { NetworkRecord } from './records/network-record';
import { RecordStore } from './records/record-store';
import type { SandboxRecord } from './records/sandbox-record';
import { restoreNetworks } from './restore';
import type { SandboxDeps } from './sandbox/sandbox-deps';
import { Sandboxes } from './sandbox/sandboxes';

interface NeedsShape {
  readonly events: EventBus;
  readonly drivers: DriverSet<NetworkDriver>;
  readonly ipamDrivers: DriverSet<IpamDriver>;
}

type Context = Pick<PluginContext<never, undefined>, 'settings' | 'stateDir' | 'runDir' | 'log' | 'onStop'> & {
  readonly needs: NeedsShape;
};

export interface NetworksPlugin {
  readonly manager: NetworkManager;
  readonly default: IpamDriver;
  readonly null: IpamDriver;
  readonly routes: ApiRoutes;
  readonly info: SystemInfo;
  readonly 'networks of drivers': DriverUsers;
}

/** Reads the records and puts the parts together; the kernel is touched by `restore` only. */
export async function startNetworks({
  needs,
  settings,
  stateDir,
  runDir,
  log,
  onStop,
}: Context): Promise<NetworksPlugin> {
  const configured = settings.defaultAddressPools.map(readPool);
  const sources = configured.length > 0 ? configured : [...builtInPools];
  if (!sources.some(({ base }) => base.version === 6)) sources.push(uniqueLocalPool(settings.engineId));
  const defaultIpam = createDefaultIpam(sources);
  const nullIpam = createNullIpam();
  const foreignIpam = new ForeignIpam(needs.ipamDrivers, () => ({ networks: registry, sandboxes }), log);
  const ipam = async (name: string): Promise<IpamDriver> => {
    if (name === 'default' || name === '') return defaultIpam;
    return name === 'null' ? nullIpam : foreignIpam.get(name);
  };

  const registry: NetworkRegistry = new NetworkRegistry({
    drivers: needs.drivers,
    ipam,
    store: new RecordStore<NetworkRecord>(join(stateDir, 'records'), true, log),
    events: needs.events,
    log,
    hostRoutes,
    settled: () => sandboxes.settled(),
    attached: (networkId) =>
      sandboxes
        .list()
        .flatMap((sandbox) =>
          [...sandbox.endpoints.map((one) => [one.endpointId, one.networkId] as const), ...sandbox.pending]
            .filter(([, network]) => network === networkId)
            .map(([endpointId]) => ({ endpointId, containerName: sandbox.request.containerName })),
        ),
  });
  const deps: SandboxDeps = {
    networks: registry,
    drivers: needs.drivers,
    ipam,
    store: new RecordStore<SandboxRecord>(join(runDir, 'sandboxes'), false, log),
    events: needs.events,
    log,
    settings,
    namespaceDir: join(runDir, 'netns'),
    resolvConfPath: '/etc/resolv.conf',
  };
  const sandboxes: Sandboxes = new Sandboxes(deps);
  onStop(async () => {
    await sandboxes.settled();
    sandboxes.stop();
  });
  await registry.load();
  return {
    manager: createNetworkManager(registry, sandboxes, (running) => restoreNetworks(deps, sandboxes, running)),
    default: defaultIpam,
    null: nullIpam,
    routes: {
      routes: networkRoutes(registry, sandboxes, {
        events: needs.events,
        defaultOptions: settings.defaultNetworkOptions,
      }),
      subjectOf: (_path, params) => requestSubject(registry, params.id),
    },
    info: networkInfo(needs.drivers, settings),
    'networks of drivers': {
      usersOf: (isMeant) =>
        registry
          .list()
          .filter(({ driver, ipam }) => isMeant(driver) || isMeant(ipam.driver))
          .map(({ name }) => `network ${name}`),
    },
  };
}

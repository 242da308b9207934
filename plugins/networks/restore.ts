import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BoundPort,
  type DaemonSettings,
  errorMessage,
  type NetworkDriver,
  type RestoredNetwork,
  waitAtMost,
} from '@gantry/sdk';
import { removeNetworkNamespace } from '@gantry/sdk/linux/network-namespaces';
import { isOwnIpam } from './ipam/request-replay';
import { interfaceAddresses } from './networks/host-routes';
import { driverOptions, ipamData, type NetworkSpec } from './networks/network-registry';
import { defaultBridge, hostNetwork, noneNetwork } from './networks/predefined';
import type { IpamConfig, NetworkRecord } from './records/network-record';
import type { SandboxRecord } from './records/sandbox-record';
import { endpointOptions } from './sandbox/attach-endpoint';
import { keepsOwnBooks } from './sandbox/foreign-drivers';
import { recordOf } from './sandbox/live-sandbox';
import type { SandboxDeps } from './sandbox/sandbox-deps';
import type { Sandboxes } from './sandbox/sandboxes';

/** How long the start of the daemon waits for drivers of others. */
const patienceMs = 1000;

/**
 * Rebuilds the truth after a start: sandboxes of running containers are taken over, everything else that carries
 * our marks is collected, and the drivers repair what the kernel lost.
 */
export async function restoreNetworks(
  deps: SandboxDeps,
  sandboxes: Sandboxes,
  running: ReadonlySet<string>,
): Promise<void> {
  const kept: SandboxRecord[] = [];
  const ended: SandboxRecord[] = [];
  for (const record of await deps.store.load()) {
    const { containerId } = record.request;
    if (running.has(containerId) && (record.key === undefined || existsSync(record.key))) kept.push(record);
    else if (record.endpoints.some(({ networkId }) => keepsOwnBooks(deps, networkId))) ended.push(record);
    else await deps.store.remove(containerId);
  }
  await collectNamespaces(deps.namespaceDir, new Set(kept.map((record) => record.key)));
  for (const record of kept) {
    try {
      await sandboxes.adopt(record);
    } catch (error) {
      deps.log.error('a sandbox could not be taken over', {
        container: record.request.containerId,
        error: errorMessage(error),
      });
    }
  }
  for (const record of ended)
    sandboxes.adoptEnded(
      record,
      record.endpoints.filter(({ networkId }) => keepsOwnBooks(deps, networkId)),
    );
  await refreshDefaultBridge(deps, sandboxes);
  await restoreDrivers(deps, sandboxes);
  await makePredefined(deps);
  const foreign = [...tellForeign(deps), ...ended.map((record) => giveUp(deps, sandboxes, record))];
  await waitAtMost(patienceMs, Promise.all([sandboxes.repair(), ...foreign]));
}

/** Address drivers of others learn what is on record. */
function tellForeign(deps: SandboxDeps): Promise<unknown>[] {
  const names = new Set(deps.networks.list().map(({ ipam }) => ipam.driver));
  return [...names].filter((name) => !isOwnIpam(name)).map((name) => deps.ipam(name).catch(() => undefined));
}

async function giveUp(deps: SandboxDeps, sandboxes: Sandboxes, { request }: SandboxRecord): Promise<void> {
  try {
    await sandboxes.close(request.containerId);
  } catch (error) {
    const container = request.containerId;
    deps.log.error('what an ended container held could not be given back', { container, error: errorMessage(error) });
  }
}

async function restoreDrivers(deps: SandboxDeps, sandboxes: Sandboxes): Promise<void> {
  const byDriver = new Map<string, NetworkRecord[]>();
  for (const [name] of deps.drivers.entries()) byDriver.set(name, []);
  for (const network of deps.networks.list())
    if (!network.configOnly) byDriver.set(network.driver, [...(byDriver.get(network.driver) ?? []), network]);
  for (const [name, networks] of byDriver) {
    // Drivers on sockets are not told: the protocol has no word for it, and nobody waits for one that is not there.
    const driver: NetworkDriver | undefined = deps.drivers.get(name);
    if (driver === undefined) continue;
    try {
      await driver.restore?.(networks.map((network) => restoredNetwork(network, sandboxes)));
      await refreshPorts(deps, sandboxes, driver, new Set(networks.map(({ id }) => id)));
    } catch (error) {
      deps.log.error('a network driver could not restore its networks', { driver: name, error: errorMessage(error) });
    }
  }
}

/** What is shown as published is what the driver could take back: somebody else may have a port by now. */
async function refreshPorts(
  deps: SandboxDeps,
  sandboxes: Sandboxes,
  driver: NetworkDriver,
  networks: ReadonlySet<string>,
): Promise<void> {
  if (driver.restore === undefined) return;
  for (const sandbox of sandboxes.list()) {
    const published = sandbox.endpoints.filter(({ external, networkId }) => external && networks.has(networkId));
    for (const endpoint of published) {
      const info = await driver.endpointInfo(endpoint.networkId, endpoint.endpointId);
      const boundPorts = info['com.docker.network.portmap'] as readonly BoundPort[] | undefined;
      if (boundPorts === undefined || boundPorts.length === endpoint.boundPorts.length) continue;
      sandbox.endpoints = sandbox.endpoints.map((one) => (one === endpoint ? { ...endpoint, boundPorts } : one));
      await deps.store.save(sandbox.request.containerId, recordOf(sandbox));
    }
  }
}

function restoredNetwork(network: NetworkRecord, sandboxes: Sandboxes): RestoredNetwork {
  const endpoints = sandboxes.list().flatMap((sandbox) =>
    sandbox.endpoints
      .filter((endpoint) => endpoint.networkId === network.id)
      .map((endpoint) => ({
        endpointId: endpoint.endpointId,
        iface: {
          address: endpoint.address,
          addressIPv6: endpoint.addressIPv6,
          macAddress: endpoint.macAddress,
        },
        options: endpointOptions(sandbox, endpoint.request),
        sandboxKey: sandbox.key ?? '',
        boundPorts: endpoint.boundPorts,
      })),
  );
  return {
    networkId: network.id,
    options: driverOptions(network),
    ipv4: ipamData(network, 4),
    ipv6: ipamData(network, 6),
    endpoints,
  };
}

async function makePredefined(deps: SandboxDeps): Promise<void> {
  const wanted: NetworkSpec[] = [noneNetwork, hostNetwork];
  if (hasDefaultBridge(deps.settings)) wanted.push(bridgeSpec(deps.settings));
  for (const spec of wanted) if (!deps.networks.byName(spec.name)) await deps.networks.create(spec, true);
}

/** The default bridge follows the settings; its id stays. A changed address waits until no container uses the old one. */
async function refreshDefaultBridge(deps: SandboxDeps, sandboxes: Sandboxes): Promise<void> {
  const record = deps.networks.byName('bridge');
  if (record === undefined) return;
  if (!hasDefaultBridge(deps.settings)) {
    await deps.networks.forget(record);
    return;
  }
  const spec = keepingChosenPools(bridgeSpec(deps.settings), record, deps.settings);
  const samePools =
    spec.enableIPv6 === record.enableIPv6 && JSON.stringify(spec.ipam.config) === JSON.stringify(record.ipam.config);
  if (!samePools) {
    const inUse = sandboxes.list().some((sandbox) => sandbox.endpoints.some((one) => one.networkId === record.id));
    if (!inUse) {
      await deps.networks.renewPools(record, spec);
      return;
    }
    deps.log.warn('the default bridge keeps its addresses, because running containers use it', {
      bridge: deps.settings.bridge.name,
    });
  }
  if (JSON.stringify(record.options) !== JSON.stringify(spec.options))
    await deps.networks.replace({ ...record, options: spec.options });
}

/** Addresses that were chosen once are kept, so that containers find their network again. */
function keepingChosenPools(spec: NetworkSpec, record: NetworkRecord, { bridge }: DaemonSettings): NetworkSpec {
  const isSet = (version: 4 | 6) =>
    version === 4
      ? [bridge.bip, bridge.fixedCidr, bridge.defaultGateway].some(Boolean)
      : [bridge.bip6, bridge.fixedCidrV6, bridge.defaultGatewayV6].some(Boolean);
  const config = ([4, 6] as const).flatMap((version) => {
    if (version === 6 && !spec.enableIPv6) return [];
    const ofFamily = (list: readonly IpamConfig[]) =>
      list.filter((entry) => (version === 6) === entry.subnet.includes(':'));
    const pool = record.pools.find((one) => one.version === version);
    if (isSet(version) || pool === undefined) return ofFamily(spec.ipam.config);
    const known = ofFamily(record.ipam.config);
    if (known.length > 0 || spec.enableIPv6 === record.enableIPv6) return known;
    const [gateway = ''] = pool.gateway.split('/');
    return [{ subnet: pool.pool, ipRange: pool.subPool, gateway, auxAddresses: {} }];
  });
  return { ...spec, ipam: { ...spec.ipam, config } };
}

function hasDefaultBridge(settings: DaemonSettings): boolean {
  return settings.bridge.name !== 'none';
}

function bridgeSpec(settings: DaemonSettings): NetworkSpec {
  return defaultBridge(settings, interfaceAddresses(settings.bridge.name));
}

async function collectNamespaces(directory: string, kept: ReadonlySet<string | undefined>): Promise<void> {
  let names: string[] = [];
  try {
    names = await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  for (const name of names) if (!kept.has(join(directory, name))) removeNetworkNamespace(join(directory, name));
}

import type { DriverNetworkOptions, IpamData } from '@gantry/sdk';
import {
  CleanupStack,
  conflict,
  type DriverSet,
  type EventBus,
  errorKind,
  errorMessage,
  forbidden,
  type IpamDriver,
  invalidParameter,
  KeyedLock,
  type Logger,
  type NetworkDriver,
  type NetworkSummary,
  notFound,
} from '@gantry/sdk';
import { isOwnIpam } from '../ipam/request-replay';
import type { IpamConfig, NetworkPool, NetworkRecord } from '../records/network-record';
import { predefinedNames } from '../records/network-record';
import type { RecordStore } from '../records/record-store';
import { newId, timestamp } from './network-id';
import { releasePools, replayPools, reservePools } from './network-pools';

/** What a new network is made from; already checked. */
export interface NetworkSpec {
  readonly name: string;
  readonly driver: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly configOnly: boolean;
  readonly configFrom: string;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly ipam: {
    readonly driver: string;
    readonly options: Readonly<Record<string, string>>;
    readonly config: readonly IpamConfig[];
  };
}

export interface RegistryDeps {
  readonly drivers: DriverSet<NetworkDriver>;
  readonly ipam: (name: string) => Promise<IpamDriver>;
  readonly store: RecordStore<NetworkRecord>;
  readonly events: EventBus;
  readonly log: Logger;
  /** CIDRs of the host's routes. */
  readonly hostRoutes: () => string[];
  /** Resolves when nothing of closed sandboxes is left. */
  readonly settled: () => Promise<void>;
  /** Containers attached to a network now. */
  readonly attached: (networkId: string) => readonly { readonly endpointId: string; readonly containerName: string }[];
}

/** The networks of this engine: records, address pools and what the drivers made of them. */
export class NetworkRegistry {
  private readonly networks = new Map<string, NetworkRecord>();
  private readonly locks = new KeyedLock();
  private readonly removing = new Set<string>();

  constructor(private readonly deps: RegistryDeps) {}

  /** Reads the records and enters their pools into our own IPAM drivers. Those of others are told when they are there. */
  async load(): Promise<void> {
    for (const record of await this.deps.store.load()) this.networks.set(record.id, record);
    for (const record of this.list()) {
      if (!isOwnIpam(record.ipam.driver)) continue;
      try {
        const ipam = await this.deps.ipam(record.ipam.driver);
        const { requiresRequestReplay } = await ipam.capabilities();
        if (requiresRequestReplay) await replayPools(ipam, record);
      } catch (error) {
        this.deps.log.warn('address pools of a network could not be entered', {
          network: record.name,
          error: errorMessage(error),
        });
      }
    }
  }

  list(): NetworkRecord[] {
    return [...this.networks.values()];
  }

  byId(id: string): NetworkRecord | undefined {
    return this.networks.get(id);
  }

  byName(name: string): NetworkRecord | undefined {
    return this.list().find((network) => network.name === name);
  }

  /** By id or name. */
  find(reference: string): NetworkRecord | undefined {
    return this.networks.get(reference) ?? this.byName(reference);
  }

  /** By id, name or unique id prefix, in this order. */
  get(reference: string): NetworkRecord {
    const found = this.find(reference);
    if (found !== undefined) return found;
    const matches = reference === '' ? [] : this.list().filter((network) => network.id.startsWith(reference));
    if (matches.length > 1)
      throw invalidParameter(`network ${reference} is ambiguous (${matches.length} matches found based on ID prefix)`);
    if (matches[0] === undefined) throw notFound(`network ${reference} not found`);
    return matches[0];
  }

  /** As `get`, for attaching: a network whose removal has begun is gone. */
  getForUse(reference: string): NetworkRecord {
    const network = this.get(reference);
    if (this.removing.has(network.id)) throw notFound(`network ${reference} not found`);
    if (network.configOnly) throw forbidden(`configuration network ${network.name} cannot be used for containers`);
    return network;
  }

  async create(spec: NetworkSpec, predefined = false): Promise<NetworkRecord> {
    if (!predefined && (predefinedNames.has(spec.name) || spec.name === 'default'))
      throw forbidden(`operation is not permitted on predefined ${spec.name} network `);
    return this.locks.run(`name ${spec.name}`, async () => {
      if (this.byName(spec.name)) throw conflict(`network with name ${spec.name} already exists`);
      const undo = new CleanupStack();
      try {
        return await this.build(spec, undo);
      } catch (error) {
        for (const failure of await undo.runAll())
          this.deps.log.error('undoing a network failed', { network: spec.name, error: errorMessage(failure) });
        throw error;
      }
    });
  }

  /** Forgets a network. @throws forbidden predefined, or containers are attached */
  async remove(reference: string): Promise<NetworkRecord> {
    const { id } = this.get(reference);
    await this.deps.settled();
    return this.locks.run(id, async () => {
      const network = this.get(id);
      if (predefinedNames.has(network.name))
        throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
      const attached = this.deps.attached(id);
      if (attached.length > 0) {
        const names = attached
          .map((one) => `name:"${one.containerName}" id:"${one.endpointId.slice(0, 12)}"`)
          .join(', ');
        throw forbidden(`error while removing network: network ${network.name} has active endpoints (${names})`);
      }
      const user = network.configOnly && this.list().find((other) => other.configFrom === network.name);
      if (user) throw forbidden(`configuration network "${network.name}" is in use by ${user.name}`);
      // From here on nobody can attach; between the check above and this line nobody else ran.
      this.removing.add(id);
      try {
        // The record goes last: a daemon killed in between finds it and the removal can be repeated.
        if (!network.configOnly) {
          const driver = await this.deps.drivers.resolve(network.driver);
          await this.deleteThrough(driver, network);
          await this.releaseAddresses(network);
        }
        await this.deps.store.remove(id);
        this.networks.delete(id);
      } finally {
        this.removing.delete(id);
      }
      this.publish(network, 'destroy');
      return network;
    });
  }

  /** Replaces a record, such as that of the default bridge after its settings changed. */
  async replace(record: NetworkRecord): Promise<void> {
    await this.deps.store.save(record.id, record);
    this.networks.set(record.id, record);
  }

  /** Gives a predefined network new pools and options; its id stays. */
  async renewPools(record: NetworkRecord, spec: NetworkSpec): Promise<void> {
    await this.releaseAddresses(record);
    const undo = new CleanupStack();
    const ipam = await this.deps.ipam(spec.ipam.driver);
    const pools = await reservePools(ipam, { ...spec, ...spec.ipam, avoid: [] }, undo);
    await this.replace({ ...record, ipam: spec.ipam, options: spec.options, enableIPv6: spec.enableIPv6, pools });
  }

  /** Drops a record whose network the settings no longer want. */
  async forget(record: NetworkRecord): Promise<void> {
    await this.releaseAddresses(record);
    await this.deps.store.remove(record.id);
    this.networks.delete(record.id);
  }

  async releaseAddresses(network: NetworkRecord): Promise<void> {
    const failures = await releasePools(await this.deps.ipam(network.ipam.driver), network.pools);
    for (const failure of failures)
      this.deps.log.warn('releasing addresses failed', { network: network.name, error: errorMessage(failure) });
  }

  /**
   * A driver of others that says no says it again the next time: that is only logged, or its network would stay for
   * ever. One that cannot be asked may be asked later.
   */
  private async deleteThrough(driver: NetworkDriver, { id, name }: NetworkRecord): Promise<void> {
    try {
      await driver.deleteNetwork(id);
    } catch (error) {
      if (driver.restore !== undefined || !['system', 'not-found'].includes(errorKind(error))) throw error;
      this.deps.log.warn('driver error deleting network', { network: name, error: errorMessage(error) });
    }
  }

  private async build(spec: NetworkSpec, undo: CleanupStack): Promise<NetworkRecord> {
    const effective = spec.configFrom === '' ? spec : this.inherit(spec);
    const base = { ...effective, id: newId(), createdAt: timestamp() };
    if (spec.configOnly) return this.keep({ ...base, scope: 'local', pools: [] });

    const driver = await this.deps.drivers.resolve(spec.driver);
    const { scope, gwAllocChecker } = await driver.capabilities();
    const skip = gwAllocChecker ? await driver.gwAllocCheck?.(driverOptions(effective)) : undefined;
    const ipam = await this.deps.ipam(effective.ipam.driver);
    const wishes = {
      ...effective,
      ...effective.ipam,
      avoid: this.deps.hostRoutes(),
      withoutGateway: [skip?.skipIPv4 ? 4 : 0, skip?.skipIPv6 ? 6 : 0],
    };
    const pools = await reservePools(ipam, wishes, undo);
    const record: NetworkRecord = { ...base, scope, pools };
    await driver.createNetwork(record.id, driverOptions(record), ipamData(record, 4), ipamData(record, 6));
    undo.push(() => driver.deleteNetwork(record.id));
    return this.keep(record);
  }

  private async keep(record: NetworkRecord): Promise<NetworkRecord> {
    await this.deps.store.save(record.id, record);
    this.networks.set(record.id, record);
    // Those that are always there are nobody's news.
    if (!predefinedNames.has(record.name)) this.publish(record, 'create');
    return record;
  }

  private inherit(spec: NetworkSpec): NetworkSpec {
    const source = this.byName(spec.configFrom);
    if (source === undefined) throw notFound(`network ${spec.configFrom} not found`);
    if (!source.configOnly) throw forbidden(`network "${spec.configFrom}" is not a configuration network`);
    const { ipam, enableIPv4, enableIPv6, options } = source;
    return { ...spec, ipam, enableIPv4, enableIPv6, options, labels: { ...source.labels, ...spec.labels } };
  }

  private publish(network: NetworkRecord, action: 'create' | 'destroy'): void {
    this.deps.events.publish({
      type: 'network',
      action,
      actor: { id: network.id, attributes: { name: network.name, type: network.driver } },
      scope: 'local',
    });
  }
}

export function summaryOf({ id, name, driver, scope }: NetworkRecord): NetworkSummary {
  return { id, name, driver, scope };
}

export function driverOptions(
  network: Pick<NetworkRecord, 'options' | 'enableIPv4' | 'enableIPv6' | 'internal'>,
): DriverNetworkOptions {
  return {
    generic: network.options,
    enableIPv4: network.enableIPv4,
    enableIPv6: network.enableIPv6,
    internal: network.internal,
  };
}

export function ipamData(network: NetworkRecord, version: 4 | 6): IpamData[] {
  return network.pools
    .filter((pool) => pool.version === version)
    .map((pool: NetworkPool) => ({
      addressSpace: pool.addressSpace,
      pool: pool.pool,
      gateway: pool.gateway === '' ? undefined : pool.gateway,
      auxAddresses: Object.fromEntries(
        Object.entries(pool.auxAddresses).map(([name, ip]) => [name, `${ip}/${pool.pool.split('/')[1]}`]),
      ),
    }));
}

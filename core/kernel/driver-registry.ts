import { type Capability, type DriverSet, EngineError, notFound } from '@gantry/sdk';
import { isContribution } from './graph/resolve-graph';
import { isSupervised } from './supervisor/call-limits';
import { allWatchers, type CallWatcher, watchedInstance } from './watched-instance';

/** Finds drivers that no loaded plugin provides: those on sockets. */
export interface DriverDiscovery {
  /**
   * @returns undefined  no plugin of this name exists anywhere, or drivers of this kind cannot be on sockets
   * @throws  it exists and cannot be used
   */
  find(capabilityId: string, name: string, signal?: AbortSignal): Promise<unknown>;
  /** Names of those that can be found without knowing any. */
  enumerate(capabilityId: string): Promise<readonly string[]>;
  /**
   * The name by which the drivers of a managed plugin are registered; `name` may leave out its tag or be its id.
   *
   * @throws  it exists and cannot be used
   */
  offeredAs?(capabilityId: string, name: string, signal?: AbortSignal): Promise<string | undefined>;
  /** Where a plugin of this name would be looked for. */
  placeOf(name: string): string | undefined;
}

export const noDiscovery: DriverDiscovery = {
  find: async () => undefined,
  enumerate: async () => [],
  placeOf: () => undefined,
};

interface Entry {
  readonly owner: string;
  readonly instance: unknown;
}

/** Everything that started plugins provide, by capability and name. The driver sets of plugins are views of it. */
export class DriverRegistry {
  private readonly kinds = new Map<string, Map<string, Entry>>();

  private readonly watchDrivers: CallWatcher | undefined;

  /**
   * @param watch      told about the calls of everything plugins provide, except what they contribute to the core
   * @param supervise  sees to the calls of drivers
   * @param added      told of every driver that comes
   */
  constructor(
    private readonly discovery: DriverDiscovery = noDiscovery,
    private readonly watch?: CallWatcher,
    supervise?: CallWatcher,
    private readonly added?: (capabilityId: string) => void,
  ) {
    this.watchDrivers = allWatchers([watch, supervise]);
  }

  add(capability: Capability<any>, name: string, owner: string, instance: unknown): void {
    const kind = this.kinds.get(capability.id) ?? new Map<string, Entry>();
    this.kinds.set(capability.id, kind);
    kind.set(name, { owner, instance: this.watched(capability.id, owner, instance) });
    this.added?.(capability.id);
  }

  private watched(capabilityId: string, owner: string, instance: unknown): unknown {
    const watch = isSupervised(capabilityId) ? this.watchDrivers : this.watch;
    if (watch === undefined || owner === 'core' || isContribution(capabilityId)) return instance;
    return watchedInstance(instance, owner.replace(/^socket /, ''), capabilityId.split('/', 1)[0]!, watch);
  }

  /** Who provides the driver of this name, if anybody. */
  ownerOf(capabilityId: string, name: string): string | undefined {
    return this.kinds.get(capabilityId)?.get(name)?.owner;
  }

  /** Names of the drivers that a plugin provides, in whatever kind. */
  driversOf(plugin: string): string[] {
    const isTheirs = ({ owner }: Entry) => owner === plugin || owner === `socket ${plugin}`;
    const supervised = [...this.kinds].filter(([id]) => isSupervised(id));
    const names = supervised.flatMap(([, kind]) =>
      [...kind].flatMap(([name, entry]) => (isTheirs(entry) ? [name] : [])),
    );
    return [...new Set(names)];
  }

  remove(capabilityId: string, name: string): void {
    this.kinds.get(capabilityId)?.delete(name);
  }

  removeOwner(owner: string): void {
    for (const kind of this.kinds.values())
      for (const [name, entry] of kind) if (entry.owner === owner) kind.delete(name);
  }

  /** The only instance of a capability of arity one. */
  one<T>(capability: Capability<T>): T | undefined {
    for (const entry of this.kinds.get(capability.id)?.values() ?? []) return entry.instance as T;
    return undefined;
  }

  all<T>(capability: Capability<T>): DriverSet<T> {
    const known = () => this.kinds.get(capability.id) ?? new Map<string, Entry>();
    // Managed plugins have a tag, which is left out when it is `latest`.
    const nameOf = (name: string) => (!known().has(name) && known().has(`${name}:latest`) ? `${name}:latest` : name);
    const set: DriverSet<T> = {
      names: () => [...known().keys()].sort(),
      get: (name) => known().get(nameOf(name))?.instance as T | undefined,
      nameOf,
      entries: () => [...known()].map(([name, entry]): [string, T] => [name, entry.instance as T]).sort(byName),
      resolve: async (name, signal) => {
        const here = set.get(name);
        if (here !== undefined) return here;
        const offered = await this.discovery.offeredAs?.(capability.id, name, signal);
        if (offered !== undefined) {
          const driver = set.get(offered);
          if (driver === undefined) throw notFound(`plugin "${offered}" does not provide ${capability.id}`);
          return driver;
        }
        const found = await this.discovery.find(capability.id, name, signal);
        if (found === undefined) {
          const absentPlugin = { name, address: this.discovery.placeOf(name) };
          throw new EngineError('not-found', `plugin "${name}" not found`, { absentPlugin });
        }
        // Another request may have found it meanwhile: keep the first.
        if (set.get(name) === undefined) this.add(capability, name, `socket ${name}`, found);
        return set.get(name)!;
      },
      discover: async (signal) => {
        const found = await this.discovery.enumerate(capability.id);
        const unknown = found.filter((name) => set.get(name) === undefined);
        await Promise.all(unknown.map((name) => set.resolve(name, signal).catch(() => undefined)));
      },
    };
    return set;
  }
}

const byName = <T>([a]: [string, T], [b]: [string, T]): number => (a < b ? -1 : 1);

import { connect } from 'node:net';
import { conflict, type DriverUsers, type OfferedPlugin, type PluginDoor, PluginSource1 } from '@gantry/sdk';
import type { PluginClient } from '@gantry/sdk/client';
import type { DriverRegistry } from '../driver-registry';
import type { Supervisor } from '../supervisor/supervisor';
import { driverKinds, protocolClient } from './driver-kinds';

export interface OfferedPluginsDeps {
  readonly registry: () => DriverRegistry;
  readonly supervisor: Supervisor;
  readonly users: () => readonly DriverUsers[];
  /** An authorization plugin of this name is asked no more. */
  readonly leaveChain: (isMeant: (name: string) => boolean) => void;
  readonly metrics: { socket(): Promise<string>; start(): Promise<void> };
  readonly headers?: () => Readonly<Record<string, string>>;
}

interface Offer {
  readonly plugin: OfferedPlugin;
  readonly client: PluginClient;
}

const latest = ':latest';

/** Whether a name somebody typed means the plugin `known`, which has a tag. */
const means = (known: string) => (typed: string) => typed === known || `${typed}${latest}` === known;

/** Plugins that another plugin starts and stops: their drivers come and go without a reload (P-KIND-1). */
export class OfferedPlugins implements PluginDoor {
  private readonly offers = new Map<string, Offer>();

  constructor(private readonly deps: OfferedPluginsDeps) {}

  /** The name a driver of the plugin is registered by. @throws what the source throws */
  async offeredAs(name: string, signal?: AbortSignal): Promise<string | undefined> {
    return this.deps.registry().one(PluginSource1)?.find(name, signal);
  }

  offer(plugin: OfferedPlugin): void {
    const { name, kinds, timeoutMs } = plugin;
    const { registry, supervisor, headers, metrics } = this.deps;
    const owner = `socket ${name}`;
    const used = [...driverKinds].filter(([, { implementsName }]) => kinds.includes(implementsName.toLowerCase()));
    for (const [id] of used) {
      const other = registry().ownerOf(id, name);
      if (other !== undefined && other !== owner)
        throw conflict(`a ${id} named "${name}" is provided by the plugin "${other}" as well`);
    }
    this.forget(name);
    const client = protocolClient().connectPlugin({
      name,
      address: `unix://${plugin.socketPath}`,
      timeoutMs: timeoutMs > 0 ? timeoutMs : undefined,
      headers,
    });
    this.offers.set(name, { plugin, client });
    for (const [id, kind] of used) {
      const implemented = kinds.includes('authz') ? ['authz'] : [];
      const driver = kind.connect(client, {
        logFifos: plugin.logFolder?.host ?? '',
        pluginLogFifos: plugin.logFolder?.plugin,
        implemented,
        hostPath: (path) => plugin.hostPath(path),
      });
      // One that was found on a socket under the short name gives way (P-KIND-1).
      const short = name.endsWith(latest) ? name.slice(0, -latest.length) : name;
      if (registry().ownerOf(id, short) === `socket ${short}`) registry().remove(id, short);
      registry().add({ id, arity: 'many' }, name, owner, driver);
    }
    supervisor.runs(
      name,
      { door: 'managed', provides: used.map(([id]) => `${id} ${name}`), restarts: () => plugin.restarts() },
      () => listens(plugin.socketPath),
    );
    if (kinds.includes('metricscollector')) void metrics.start();
  }

  async withdraw(name: string, { forGood, drainMs }: { forGood: boolean; drainMs: number }): Promise<void> {
    const offer = this.offers.get(name);
    if (offer === undefined) return;
    if (forGood && offer.plugin.kinds.includes('authz')) this.deps.leaveChain(means(name));
    this.offers.delete(name);
    const calls = this.deps.supervisor.retire(name);
    this.deps.registry().removeOwner(`socket ${name}`);
    await calls?.drain(drainMs);
    offer.client.close();
  }

  usersOf(name: string): readonly string[] {
    return this.deps.users().flatMap((users) => users.usersOf(means(name)));
  }

  metricsSocket(): Promise<string> {
    return this.deps.metrics.socket();
  }

  private forget(name: string): void {
    const before = this.offers.get(name);
    if (before === undefined) return;
    this.offers.delete(name);
    this.deps.registry().removeOwner(`socket ${name}`);
    // Calls that are under way keep their connections; only the idle ones are dropped.
    before.client.close();
  }
}

/** Whether somebody takes connections there: plugins of this kind are not asked for a handshake. */
function listens(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setTimeout(1000, () => socket.destroy(new Error(`${path} does not take connections`)));
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}

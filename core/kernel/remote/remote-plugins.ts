import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApiRoutes, cancelled, conflict, errorMessage, type Logger, notFound } from '@gantry/sdk';
import type { PluginClient, RetrySchedule } from '@gantry/sdk/client';
import type { DriverDiscovery, DriverRegistry } from '../driver-registry';
import type { SocketPlugin } from '../loader/load-plugins';
import type { SupervisedPlugin } from '../supervisor/supervised-plugin';
import type { Supervisor } from '../supervisor/supervisor';
import { AwaitedPlugin } from './awaited-plugin';
import { type DriverContext, type DriverKind, driverKinds, protocolClient } from './driver-kinds';
import {
  type FoundPlugin,
  findPluginFile,
  isPluginFile,
  type PluginDirectories,
  readPluginFile,
} from './find-plugin-file';
import { listPluginFiles } from './list-plugin-files';
import type { OfferedPlugins } from './offered-plugins';
import { PluginEnumeration } from './plugin-enumeration';

/** How long a plugin that was silent may take to say that it is back. */
const probeTimeoutMs = 1000;
/** How long one that is added while the daemon runs may take to answer for the first time. */
const greetingMs = 10_000;
const optionalGreetingMs = 1000;
const greetingRetry: RetrySchedule = { waitsMs: [250, 500, 1000, 2000], giveUpAfterMs: 5000 };
/** As long as everybody waits for plugins (P-CALL-5), without long pauses: who returns is used within two seconds. */
const evenRetry: RetrySchedule = { waitsMs: [1000, ...Array.from({ length: 7 }, () => 2000)], giveUpAfterMs: 16_000 };
/** How long the calls of a plugin that is replaced may take to end. */
const drainMs = 130_000;

/** A plugin that has answered the handshake. */
export interface ActivePlugin {
  readonly name: string;
  readonly client: PluginClient;
  /** Kinds as in P-ACT-2. */
  readonly kinds: readonly string[];
  readonly routes?: ApiRoutes;
}

export interface RemotePluginsDeps {
  readonly directories: PluginDirectories;
  /** The daemon's exec root; what is made for plugins at run time is below it. */
  readonly execRoot: string;
  readonly log: Logger;
  /** When calls that reach nobody are repeated; for fifteen seconds when absent. */
  readonly retry?: RetrySchedule;
  readonly supervisor?: Supervisor;
  /** Plugins with routes have come or gone. */
  readonly routesChanged?: () => void;
  /** Plugins that run under our own roof; they are found before those on sockets (P-KIND-1). */
  readonly offered?: Pick<OfferedPlugins, 'offeredAs'>;
  /** Headers of every call beside the protocol's own. */
  readonly headers?: () => Readonly<Record<string, string>>;
}

/**
 * Plugins of other processes: found by name, activated at their first use, and kept while this process lives
 * (P-DISC-8). A failed activation is forgotten, so that the next use looks anew.
 */
export class RemotePlugins implements DriverDiscovery {
  private readonly active = new Map<string, Promise<ActivePlugin | undefined>>();
  /** Those of `active` that have answered. */
  private readonly greeted = new Map<string, ActivePlugin>();
  private readonly clients = new Set<PluginClient>();
  /** Those of daemon.json that were not there. */
  private readonly awaited = new Map<string, AwaitedPlugin<ActivePlugin>>();
  private readonly enumeration = new PluginEnumeration((name) => this.activateFound(name));
  private readonly logFifos: string;
  private tidied: Promise<void> | undefined;
  private configured: readonly SocketPlugin[] = [];

  constructor(private readonly deps: RemotePluginsDeps) {
    this.logFifos = join(deps.execRoot, 'logging');
  }

  /** Tells which plugins daemon.json names with their sockets. Whatever an earlier run left behind is removed. */
  configure(plugins: readonly SocketPlugin[]): void {
    this.configured = plugins;
    void this.tidy();
  }

  async offeredAs(capabilityId: string, name: string, signal?: AbortSignal): Promise<string | undefined> {
    if (!driverKinds.has(capabilityId) || this.configured.some((plugin) => plugin.name === name)) return undefined;
    const { offered } = this.deps;
    return offered && waitFor(`plugin "${name}"`, offered.offeredAs(name, signal), signal);
  }

  /** @throws not-found  the plugin is there, and is not of this kind */
  async find(capabilityId: string, name: string, signal?: AbortSignal): Promise<unknown> {
    const kind = driverKinds.get(capabilityId);
    if (kind === undefined) return undefined;
    const plugin = await waitFor(`plugin "${name}"`, this.activate(name), signal);
    if (plugin === undefined) return undefined;
    if (!plugin.kinds.includes(kind.implementsName))
      throw notFound(doesNotImplement(name, kind.implementsName, plugin.kinds));
    return this.connect(kind, plugin);
  }

  /** Looks at everything in the plugin directories (P-DISC-7). @returns those of this kind that answer */
  async enumerate(capabilityId: string): Promise<readonly string[]> {
    const kind = driverKinds.get(capabilityId);
    if (kind === undefined) return [];
    const names = await listPluginFiles(this.deps.directories);
    const isKnown = (name: string) => this.active.has(name) || this.configured.some((it) => it.name === name);
    await this.enumeration.look(names.filter((name) => !isKnown(name)));
    const found = names.map((name) => this.greeted.get(name)).filter((plugin) => plugin !== undefined);
    return found.filter(({ kinds }) => kinds.includes(kind.implementsName)).map(({ name }) => name);
  }

  /** Where a plugin of this name would be looked for first. */
  placeOf(name: string): string {
    return `unix://${join(this.deps.directories.sockets, `${name}.sock`)}`;
  }

  /** With one attempt: nobody has asked for it by its name. */
  private async activateFound(name: string): Promise<void> {
    const found = await this.locate(name);
    if (found === undefined || this.active.has(name)) return;
    const plugin = await this.greet(found, protocolClient().noRetry);
    if (this.active.has(name)) return plugin.client.close();
    this.keep(plugin);
  }

  private keep(plugin: ActivePlugin): void {
    this.clients.add(plugin.client);
    this.greeted.set(plugin.name, plugin);
    this.active.set(plugin.name, Promise.resolve(plugin));
  }

  /** @returns undefined when nothing of this name can be found. @throws unavailable, deadline, system */
  activate(name: string): Promise<ActivePlugin | undefined> {
    const known = this.active.get(name);
    if (known !== undefined) return known;
    const attempt = this.awaited.get(name)?.wait() ?? this.shakeHands(name);
    this.active.set(name, attempt);
    const forget = () => this.active.get(name) === attempt && this.active.delete(name);
    attempt.then((plugin) => {
      if (plugin === undefined) forget();
      else if (this.active.get(name) === attempt) this.greeted.set(name, plugin);
    }, forget);
    return attempt;
  }

  /**
   * Activates a configured plugin and makes its drivers known by its name.
   *
   * @throws conflict   a driver of that name and kind is there already
   * @throws not-found  it implements nothing that this daemon can use
   */
  async register(name: string, registry: DriverRegistry): Promise<void> {
    const plugin = await this.activate(name);
    if (plugin === undefined) throw notFound(`plugin "${name}" not found`);
    let useful = false;
    for (const [capabilityId, kind] of driverKinds) {
      if (!plugin.kinds.includes(kind.implementsName)) continue;
      useful = true;
      const capability = { id: capabilityId, arity: 'many' } as const;
      const owner = `socket ${name}`;
      const present = registry.ownerOf(capabilityId, name);
      if (present !== undefined && present !== owner)
        throw conflict(`a ${kind.implementsName} named "${name}" is provided by the plugin "${present}" as well`);
      registry.add(capability, name, owner, await this.connect(kind, plugin));
    }
    if (plugin.routes !== undefined) this.deps.routesChanged?.();
    if (!useful)
      throw notFound(
        `it implements ${plugin.kinds.join(', ') || 'nothing'}, and this daemon can use none of that over a socket; it knows ${knownKinds()}`,
      );
  }

  /**
   * Asks for an optional plugin until it is there, and makes its drivers known then. Nobody waits for it except those
   * who need it.
   */
  expect(plugin: SocketPlugin, registry: DriverRegistry): void {
    const { name } = plugin;
    const { supervisor, log } = this.deps;
    supervisor?.isUnreached(name, 'it has not answered yet');
    let complained = false;
    this.forgetAwaited(name, 'it was replaced');
    const awaited = new AwaitedPlugin<ActivePlugin>(
      { name, address: plugin.address },
      (signal) => this.greet(plugin, protocolClient().noRetry, signal),
      (found) => {
        this.awaited.delete(name);
        this.keep(found);
        if (complained) log.info('plugin answers', { plugin: name });
        this.register(name, registry).catch((error: unknown) => {
          supervisor?.isUnreached(name, errorMessage(error));
          log.warn(`plugin "${name}" cannot be used: ${errorMessage(error)}`);
        });
      },
      (error) => {
        supervisor?.isUnreached(name, errorMessage(error));
        if (!complained)
          log.warn(`plugin "${name}" cannot be used: ${errorMessage(error)}; it is asked again until it answers`);
        complained = true;
      },
    );
    this.awaited.set(name, awaited);
  }

  private forgetAwaited(name: string, reason: string): void {
    this.awaited.get(name)?.stop(reason);
    this.awaited.delete(name);
  }

  /**
   * Shakes hands with what a plugin is from now on; `undefined` takes it away. Nothing changes before `commit`.
   *
   * @throws it cannot be used, and is not optional
   */
  async prepareReplacement(
    name: string,
    next: SocketPlugin | undefined,
    registry: DriverRegistry,
  ): Promise<{ readonly brings: { capabilityId: string; name: string }[]; commit(): void; rollback(): void }> {
    // One that has not answered yet is not waited for: it goes, or is greeted anew.
    const old = this.greeted.get(name);
    const fresh = next && (await this.greetOrNone(next));
    const drivers =
      fresh && driversOf(fresh, { logFifos: this.logFifos, implemented: fresh.kinds, routes: fresh.routes });
    for (const [id] of drivers ?? []) {
      const owner = registry.ownerOf(id, name);
      if (owner !== undefined && owner !== `socket ${name}` && owner !== name) {
        fresh?.client.close();
        throw conflict(`a ${id} named "${name}" is provided by the plugin "${owner}" as well`);
      }
    }
    return {
      brings: (drivers ?? []).map(([capabilityId]) => ({ capabilityId, name })),
      commit: () => {
        this.configured = [...this.configured.filter((it) => it.name !== name), ...(next ? [next] : [])];
        const calls = this.deps.supervisor?.retire(name);
        registry.removeOwner(`socket ${name}`);
        this.active.delete(name);
        this.greeted.delete(name);
        this.forgetAwaited(name, 'it is not part of the plugin set any more');
        if (fresh !== undefined) {
          this.keep(fresh);
          this.tellSupervisor(fresh);
          for (const [id, driver] of drivers ?? []) registry.add({ id, arity: 'many' }, name, `socket ${name}`, driver);
        } else if (next !== undefined) this.expect(next, registry);
        if (old?.routes !== undefined || fresh?.routes !== undefined) this.deps.routesChanged?.();
        if (old !== undefined) void this.retire(old, calls);
      },
      rollback: () => fresh?.client.close(),
    };
  }

  /** @returns undefined  it is optional, and is not there */
  private async greetOrNone(plugin: SocketPlugin): Promise<ActivePlugin | undefined> {
    if (!plugin.optional) return this.greet(plugin, greetingRetry);
    // One that says nothing holds up nobody's reload: it is asked on afterwards.
    return this.greet(plugin, protocolClient().noRetry, AbortSignal.timeout(optionalGreetingMs)).catch(() => undefined);
  }

  private async greet(plugin: FoundPlugin, retry: RetrySchedule, signal?: AbortSignal): Promise<ActivePlugin> {
    const { name, address, tls } = await fromFile(plugin);
    const { headers } = this.deps;
    const client = protocolClient().connectPlugin({ name, address, tls, retry: this.retry, headers });
    try {
      const { implements: kinds } = await client.activate({ timeoutMs: greetingMs, retry, signal });
      return { name, client, kinds, ...(await routesOf(client, kinds)) };
    } catch (error) {
      client.close();
      throw error;
    }
  }

  private get retry(): RetrySchedule {
    return this.deps.retry ?? evenRetry;
  }

  private async retire(old: ActivePlugin, calls: SupervisedPlugin | undefined): Promise<void> {
    await calls?.drain(drainMs);
    this.clients.delete(old.client);
    old.client.close();
  }

  /** Drops the connections. The plugins themselves are not ours to stop (P-KIND-2). */
  close(): void {
    for (const name of [...this.awaited.keys()]) this.forgetAwaited(name, 'the daemon stops');
    for (const client of this.clients) client.close();
    this.clients.clear();
    this.active.clear();
    this.greeted.clear();
  }

  private async connect(kind: DriverKind, plugin: ActivePlugin): Promise<unknown> {
    await this.tidy();
    this.tellSupervisor(plugin);
    return kind.connect(plugin.client, {
      logFifos: this.logFifos,
      implemented: plugin.kinds,
      routes: plugin.routes,
    });
  }

  private tellSupervisor(plugin: ActivePlugin): void {
    const provides = [...driverKinds].filter(([, { implementsName }]) => plugin.kinds.includes(implementsName));
    this.deps.supervisor?.runs(
      plugin.name,
      { door: 'socket', provides: provides.map(([id]) => `${id} ${plugin.name}`) },
      () => plugin.client.activate({ timeoutMs: probeTimeoutMs, retry: protocolClient().noRetry }),
    );
  }

  /** FIFOs of a run that was killed: whoever read them has seen their end. */
  private tidy(): Promise<void> {
    this.tidied ??= rm(this.logFifos, { recursive: true, force: true }).catch((error: unknown) =>
      this.deps.log.warn('old log FIFOs could not be removed', { folder: this.logFifos, error: errorMessage(error) }),
    );
    return this.tidied;
  }

  private async shakeHands(name: string): Promise<ActivePlugin | undefined> {
    const found = await this.locate(name);
    if (found === undefined) return undefined;
    const { log, headers } = this.deps;
    const startedAt = performance.now();
    const client = protocolClient().connectPlugin({ ...found, retry: this.retry, headers });
    this.clients.add(client);
    try {
      const { implements: kinds } = await client.activate();
      log.debug('plugin activated', {
        plugin: name,
        address: found.address,
        implements: kinds.join(','),
        ms: Math.round(performance.now() - startedAt),
      });
      return { name, client, kinds, ...(await routesOf(client, kinds)) };
    } catch (error) {
      this.clients.delete(client);
      client.close();
      log.debug('plugin could not be activated', { plugin: name, address: found.address, error: errorMessage(error) });
      throw error;
    }
  }

  private async locate(name: string): Promise<FoundPlugin | undefined> {
    const here = this.configured.find((plugin) => plugin.name === name);
    if (here !== undefined) return fromFile(here);
    return findPluginFile(name, this.deps.directories);
  }
}

/** daemon.json may name the file that tells the address, and whom to trust there (P-DISC-5). */
const fromFile = async (plugin: FoundPlugin): Promise<FoundPlugin> =>
  isPluginFile(plugin.address) ? readPluginFile(plugin.name, plugin.address) : plugin;

const routesOf = async (client: PluginClient, kinds: readonly string[]) =>
  kinds.includes('api-routes/v1') ? { routes: await protocolClient().connectApiRoutes(client) } : {};

const driversOf = (plugin: ActivePlugin, context: DriverContext): [id: string, driver: unknown][] =>
  [...driverKinds]
    .filter(([, { implementsName }]) => plugin.kinds.includes(implementsName))
    .map(([id, kind]) => [id, kind.connect(plugin.client, context)]);

/** Gives up waiting when the signal aborts; the work goes on for those who come later. */
async function waitFor<T>(what: string, work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(cancelled(`waiting for ${what} was cancelled`, signal.reason));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function doesNotImplement(name: string, wanted: string, told: readonly string[]): string {
  const isCase = told.some((kind) => kind.toLowerCase() === wanted.toLowerCase());
  const hint = isCase ? '; capital letters count' : '';
  return `plugin "${name}" does not implement the requested driver (${wanted}): its answer to Plugin.Activate names ${told.join(', ') || 'nothing'}${hint}`;
}

const knownKinds = () => [...driverKinds.values()].map(({ implementsName }) => implementsName).join(', ');

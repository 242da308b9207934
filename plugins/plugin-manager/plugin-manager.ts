import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import {
  conflict,
  type EventBus,
  errorMessage,
  invalidParameter,
  KeyedLock,
  type PluginSource,
  type ProgressMessage,
  systemError,
  unavailable,
} from '@gantry/sdk';
import { parsePluginConfig } from './config/plugin-config';
import { checkGranted, type PluginPrivilege, privilegesOf } from './config/privileges';
import { applySettings, carrySettings, initialSettings } from './config/settings';
import { splitArchive } from './install/split-archive';
import type { ManagerDeps } from './open-manager';
import { type InstalledPlugin, withConfig } from './records/plugin-record';
import type { PluginRecords } from './records/plugin-records';
import type { PluginProcess } from './run/plugin-process';
import { unmountAllIn } from './run/propagated-mount';
import type { RunningPlugins } from './run/running-plugins';

const randomId = () => randomBytes(32).toString('hex');
/** How long somebody who needs a driver waits for its plugin to start. */
const findPatienceMs = 10_000;

/** From a registry: `remote` as typed, `credentials` as the client sent them, and what its user has agreed to. */
export interface PullRequest {
  readonly remote: string;
  readonly credentials: unknown;
  readonly privileges: readonly PluginPrivilege[];
}

type OnProgress = (message: ProgressMessage) => void;

/** Managed plugins: what the API can do with them. Work on one of them is done one after the other. */
export class PluginManager implements PluginSource {
  private readonly locks = new KeyedLock();

  constructor(
    readonly records: PluginRecords,
    private readonly running: RunningPlugins,
    private readonly deps: ManagerDeps,
  ) {}

  /** @throws conflict  the plugin is disabled. @throws unavailable  it does not run */
  async find(reference: string, signal?: AbortSignal): Promise<string | undefined> {
    let plugin: InstalledPlugin;
    try {
      plugin = this.records.find(reference);
    } catch {
      return undefined;
    }
    if (!plugin.enabled) throw conflict(`plugin ${reference} found but disabled`);
    const runs = await this.running.whenOffered(plugin.id, findPatienceMs, signal);
    if (!runs) throw unavailable(`plugin "${plugin.name}" is enabled, and does not run yet; the daemon's log says why`);
    return plugin.name;
  }

  /** @throws system, not-found  the registry does not give it */
  async privileges(remote: string, credentials: unknown, signal: AbortSignal): Promise<PluginPrivilege[]> {
    const config = await this.deps.images.readConfig({ reference: remote, credentials }, signal);
    return privilegesOf(parsePluginConfig(config));
  }

  /**
   * Makes a plugin from an archive with `config.json` and `rootfs`.
   *
   * @throws conflict  there is one of that name
   */
  async create(reference: string, archive: Readable, signal: AbortSignal): Promise<void> {
    const { images, scratch, version } = this.deps;
    const parsed = naming(`failed to parse reference ${reference}`, () => images.parseName(reference));
    if (parsed.hasDigest) throw systemError('canonical references are not permitted');
    const { name } = parsed;
    await this.locks.run(`name ${name}`, async () => {
      this.records.assertFree(name);
      const layerPath = join(scratch, randomId());
      const rootId = randomId();
      try {
        const given = parsePluginConfig(await splitArchive(archive, layerPath, signal));
        const { diffIds } = await images.build(layerPath, rootId, signal);
        const rootfs = { type: 'layers', diff_ids: [...diffIds] };
        const configBlob = `${JSON.stringify({ ...given, DockerVersion: version, rootfs })}\n`;
        const plugin = await this.install({ name, reference: name, configBlob, rootId, diffIds });
        this.publish('create', plugin.id, name);
      } catch (error) {
        await images.removeRootFilesystem(rootId);
        throw error;
      } finally {
        await rm(layerPath, { force: true });
      }
    });
  }

  /**
   * Fetches a plugin and installs it, disabled.
   *
   * @param name as whom; undefined = by its own name
   */
  async pull(name: string, request: PullRequest, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    const { images } = this.deps;
    await this.locks.run(`name ${name}`, async () => {
      const remote = images.parseName(request.remote);
      // As dockerd: here, other than with create, it is the request that is wrong.
      naming('', () => this.records.assertFree(name));
      const rootId = randomId();
      const fetched = await this.fetch(request, rootId, onProgress, signal);
      try {
        this.publish('pull', remote.name, name);
        await this.install({ name, reference: remote.canonical, rootId, ...fetched });
      } catch (error) {
        await images.removeRootFilesystem(rootId);
        throw error;
      }
      onProgress({ status: `Digest: ${fetched.digest}` });
      onProgress({ status: `Status: Downloaded newer image for ${remote.name}` });
    });
  }

  /** Replaces a disabled plugin by another version; id, settings and what is in its propagated mount stay. */
  async upgrade(reference: string, request: PullRequest, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    const { images } = this.deps;
    await this.change(reference, async (plugin) => {
      if (plugin.enabled) throw conflict(`plugin must be disabled before upgrading: plugin ${plugin.name} is enabled`);
      const remote = images.parseName(request.remote);
      const rootId = randomId();
      const { configBlob, diffIds, digest } = await this.fetch(request, rootId, onProgress, signal);
      try {
        this.publish('pull', remote.name, plugin.name);
        const config = parsePluginConfig(Buffer.from(configBlob));
        const settings = carrySettings(config, plugin.settings, initialSettings(plugin.config));
        const next = { ...plugin, config, configBlob, diffIds, rootId, settings, reference: remote.canonical };
        await this.records.put(next);
      } catch (error) {
        await images.removeRootFilesystem(rootId);
        throw error;
      }
      await images.removeRootFilesystem(plugin.rootId);
      onProgress({ status: `Digest: ${digest}` });
      onProgress({ status: `Status: Downloaded newer image for ${remote.name}` });
    });
  }

  async push(reference: string, credentials: unknown, onProgress: OnProgress, signal: AbortSignal): Promise<void> {
    const { name, configBlob, diffIds } = this.records.find(reference);
    const tag = name.slice(name.lastIndexOf(':') + 1);
    onProgress({ status: `The push refers to repository [${name.slice(0, name.lastIndexOf(':'))}]` });
    const plugin = { name, config: Buffer.from(configBlob), diffIds, credentials };
    const { digest, sizeBytes } = await this.deps.images.push(plugin, onProgress, signal);
    onProgress({ status: `${tag}: digest: ${digest} size: ${sizeBytes}` });
    onProgress({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: sizeBytes } });
  }

  /** @param timeoutS of each call to it; 0 = none */
  async enable(reference: string, timeoutS: number): Promise<void> {
    await this.change(reference, async (plugin) => {
      if (plugin.enabled) throw conflict(`plugin already enabled: plugin ${plugin.name} is enabled`);
      const process = await this.running.start({ ...plugin, timeoutS });
      try {
        await this.records.put({ ...plugin, enabled: true, timeoutS });
      } catch (error) {
        await this.running.stop(plugin.id, { forGood: true });
        throw error;
      }
      warnOfRoot(process, this.deps.log);
      this.publish('enable', plugin.id, reference);
    });
  }

  /** @throws conflict  it is in use, and `force` is not given */
  async disable(reference: string, force: boolean): Promise<void> {
    await this.change(reference, async (plugin) => {
      if (!plugin.enabled) throw conflict(`plugin is already disabled: plugin ${plugin.name} found but disabled`);
      if (!force) this.assertUnused(plugin);
      await this.disableNow(plugin);
      this.publish('disable', plugin.id, reference);
    });
  }

  /** @throws conflict  it is enabled or in use, and `force` is not given */
  async remove(reference: string, force: boolean): Promise<InstalledPlugin> {
    return this.change(reference, async (plugin) => {
      if (!force) {
        this.assertUnused(plugin);
        if (plugin.enabled) throw conflict(`plugin ${plugin.name} is enabled`);
      }
      if (plugin.enabled) await this.disableNow(plugin);
      await this.records.delete(plugin.id);
      await this.clear(plugin.id);
      await this.deps.images.removeRootFilesystem(plugin.rootId);
      this.publish('remove', plugin.id, reference);
      return plugin;
    });
  }

  /** @param changes `name[.field]=value` */
  async set(reference: string, changes: readonly string[]): Promise<void> {
    await this.change(reference, async (plugin) => {
      if (plugin.enabled) throw systemError('cannot set on an active plugin, disable plugin before setting');
      await this.records.put({ ...plugin, settings: applySettings(plugin.config, plugin.settings, changes) });
    });
  }

  /** Unmounts and removes the folder of a plugin that is gone. */
  async clear(id: string): Promise<void> {
    const folder = this.records.pathOf(id);
    await unmountAllIn(folder);
    await rm(folder, { recursive: true, force: true });
  }

  private async fetch(request: PullRequest, rootId: string, onProgress: OnProgress, signal: AbortSignal) {
    let configBlob = '';
    const accept = (blob: Buffer) => {
      checkGranted(parsePluginConfig(blob), request.privileges);
      configBlob = blob.toString('utf8');
    };
    const { remote: reference, credentials } = request;
    const pulled = await this.deps.images.pull({ reference, credentials }, rootId, accept, onProgress, signal);
    return { configBlob, ...pulled };
  }

  private install(made: {
    readonly name: string;
    readonly reference: string;
    readonly configBlob: string;
    readonly rootId: string;
    readonly diffIds: readonly string[];
  }): Promise<InstalledPlugin> {
    const { name, reference, configBlob, rootId, diffIds } = made;
    const config = parsePluginConfig(Buffer.from(configBlob));
    const settings = initialSettings(config);
    const record = { id: randomId(), name, enabled: false, timeoutS: 0, reference, configBlob, settings };
    return this.records.put(withConfig({ ...record, rootId, diffIds }));
  }

  /** The record changes first: what a daemon that dies here leaves running is stopped by the next one. */
  private async disableNow(plugin: InstalledPlugin): Promise<void> {
    await this.records.put({ ...plugin, enabled: false });
    await this.running.stop(plugin.id, { forGood: true });
  }

  private assertUnused({ name }: InstalledPlugin): void {
    const users = this.deps.door.usersOf(name);
    if (users.length === 0) return;
    this.deps.log.info('a plugin is in use', { plugin: name, users: users.join(', ') });
    throw conflict(`plugin ${name} is in use`);
  }

  /** Work on an installed plugin, as it is when its turn has come. */
  private async change<T>(reference: string, work: (plugin: InstalledPlugin) => Promise<T>): Promise<T> {
    const { id } = this.records.find(reference);
    return this.locks.run(id, () => work(this.records.find(this.records.byFullId(id) === undefined ? reference : id)));
  }

  private publish(action: string, id: string, name: string): void {
    const events: EventBus = this.deps.events;
    events.publish({ type: 'plugin', action, actor: { id, attributes: { name } } });
  }
}

/** A request that names something wrongly. */
function naming<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw invalidParameter(`${prefix === '' ? '' : `${prefix}: `}${errorMessage(error)}`, error);
  }
}

/** Engines of this kind let plugins run as root, whatever their config says. */
function warnOfRoot({ plugin }: PluginProcess, log: ManagerDeps['log']): void {
  const { UID, GID } = plugin.config.User ?? {};
  if (UID || GID) log.warn('the User of a plugin is not applied: plugins run as root', { plugin: plugin.name });
}

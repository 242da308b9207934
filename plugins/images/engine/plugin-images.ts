import { stat } from 'node:fs/promises';
import {
  notFound,
  type PluginFetch,
  type PluginImages,
  type PluginLayers,
  type PluginName,
  type ProgressMessage,
  type RootFilesystem,
  systemError,
} from '@gantry/sdk';
import {
  canonicalString,
  familiarString,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../reference/reference';
import { anonymous, credentialsOf } from '../registry/credentials';
import { chooseManifest, type Descriptor, mediaTypes, parseAnyManifest } from '../registry/manifests';
import { type Access, accessTo } from '../registry/registries';
import type { RepositoryClient } from '../registry/repository-client';
import { chainIds, sha256 } from '../store/digests';
import { digestOfLayer } from '../store/layer-digest';
import type { LayerSource } from '../store/layer-source';
import type { FileRange } from '../unpack/decompress';
import { ProgressWriter } from './progress';
import { pullError } from './pull-errors';
import { pushConfig, pushError, pushLayers } from './push';
import type { Stores } from './stores';

interface FetchedPlugin {
  readonly client: RepositoryClient;
  readonly digest: string;
  readonly config: Buffer;
  readonly layers: readonly Descriptor[];
}

/** Images of managed plugins. Their layers are those of all images; their configs are kept by who runs them. */
export class StoredPluginImages implements PluginImages {
  constructor(private readonly stores: Stores) {}

  parseName(text: string): PluginName {
    const reference = withDefaultTag(parseReference(text));
    const named = withDefaultTag({ ...reference, digest: undefined });
    const hasDigest = reference.digest !== undefined;
    const canonical = canonicalString(hasDigest ? { ...reference, tag: undefined } : reference);
    return { name: familiarString(named), canonical, hasDigest };
  }

  async readConfig(request: PluginFetch, signal: AbortSignal): Promise<Buffer> {
    return (await this.fetch(request, signal)).config;
  }

  async pull(
    request: PluginFetch,
    rootId: string,
    accept: (config: Buffer) => void,
    onProgress: (message: ProgressMessage) => void,
    signal: AbortSignal,
  ): Promise<PluginLayers & { digest: string }> {
    const { client, digest, config, layers } = await this.fetch(request, signal);
    accept(config);
    const progress = writerTo(onProgress);
    const archives = await settled(layers.map((layer) => this.download(layer, client, progress, signal)));
    try {
      // What a plugin's config says of its layers is not their diffIDs when dockerd made it.
      const diffIds: string[] = [];
      for (const { range } of archives) diffIds.push(await digestOfLayer(range, signal));
      const ready = (index: number) => progress.status(shortId(layers[index]!.digest), 'Pull complete');
      await this.unpack(
        diffIds,
        archives.map(({ range }) => range),
        rootId,
        signal,
        ready,
      );
      return { diffIds, digest };
    } finally {
      for (const { release } of archives) await release();
    }
  }

  async build(archivePath: string, rootId: string, signal: AbortSignal): Promise<PluginLayers> {
    const range = { path: archivePath, offset: 0, length: (await stat(archivePath)).size };
    const diffIds = [await digestOfLayer(range, signal)];
    await this.unpack(diffIds, [range], rootId, signal);
    return { diffIds };
  }

  async push(
    plugin: PluginLayers & { readonly name: string; readonly config: Buffer; readonly credentials?: unknown },
    onProgress: (message: ProgressMessage) => void,
    signal: AbortSignal,
  ): Promise<{ digest: string; sizeBytes: number }> {
    const { stores } = this;
    const reference = parseReference(plugin.name);
    const credentials = plugin.credentials === undefined ? anonymous : credentialsOf(plugin.credentials);
    const chain = chainIds(plugin.diffIds);
    const top = chain.at(-1);
    if (top !== undefined) stores.layers.hold(top);
    try {
      const access = pluginAccess(reference, plugin.credentials, 'pull,push');
      const { client } = await stores.registries.connect(access, (found) => found.ping(signal), signal);
      const context = { reference, credentials, client, stores, progress: writerTo(onProgress), signal };
      const layers = await pushLayers(chain, context);
      const configDigest = sha256(plugin.config);
      await pushConfig(plugin.config, configDigest, { client, signal });
      // Registries may refuse plugins in OCI manifests.
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.dockerManifest,
          config: { mediaType: mediaTypes.pluginConfig, size: plugin.config.length, digest: configDigest },
          layers: layers.map(({ digest, size }) => ({ mediaType: mediaTypes.dockerLayer, size, digest })),
        }),
      );
      await client.putManifest(reference.tag ?? 'latest', mediaTypes.dockerManifest, manifest, signal);
      return { digest: sha256(manifest), sizeBytes: manifest.length };
    } catch (error) {
      throw pushError(error);
    } finally {
      if (top !== undefined) await stores.layers.release(top);
    }
  }

  rootFilesystem(rootId: string): RootFilesystem {
    const { snapshotter, storageDriver } = this.stores;
    if (!snapshotter.hasWritable(rootId))
      throw notFound(
        `storage driver "${storageDriver}" has no root file system of this plugin: if it was installed with another ` +
          'driver, start the daemon with that storage-driver to use it, or remove the plugin and install it again',
      );
    return {
      mount: () => snapshotter.mount(rootId),
      unmount: () => snapshotter.unmount(rootId),
      graphDriver: { name: storageDriver, data: snapshotter.describe(rootId) },
    };
  }

  async removeRootFilesystem(rootId: string): Promise<void> {
    const { layers, snapshotter, pluginRoots } = this.stores;
    if (snapshotter.hasWritable(rootId)) {
      const top = snapshotter.parentOf(rootId);
      await snapshotter.removeWritable(rootId);
      if (top !== undefined && layers.get(top) !== undefined) await layers.release(top);
    }
    await pluginRoots.delete(rootId);
  }

  async collectRootFilesystems(keep: ReadonlySet<string>): Promise<void> {
    for (const id of this.stores.pluginRoots.list()) {
      if (keep.has(id)) continue;
      this.stores.log.info('removing a root file system that belongs to no plugin', { root: id.slice(0, 12) });
      await this.removeRootFilesystem(id);
    }
  }

  private async unpack(
    diffIds: readonly string[],
    ranges: readonly FileRange[],
    rootId: string,
    signal: AbortSignal,
    onReady: (index: number) => void = () => {},
  ): Promise<void> {
    const { layers, snapshotter, pluginRoots } = this.stores;
    const chain = chainIds(diffIds);
    const sources = chain.map(
      (chainId, index): LayerSource => ({
        diffId: diffIds[index]!,
        chainId,
        parent: chain[index - 1],
        open: async () => ranges[index]!,
        onReady: () => onReady(index),
      }),
    );
    const top = await layers.ensure(sources, signal);
    try {
      await pluginRoots.add(rootId);
      // From here on the root file system holds the layers.
      await snapshotter.createWritable(rootId, top);
    } catch (error) {
      await pluginRoots.delete(rootId);
      if (top !== undefined) await layers.release(top);
      throw error;
    }
  }

  private async download(layer: Descriptor, client: RepositoryClient, progress: ProgressWriter, signal: AbortSignal) {
    const id = shortId(layer.digest);
    progress.status(id, 'Pulling fs layer');
    const listener = {
      waiting: () => progress.status(id, 'Waiting'),
      moved: (current: number, total: number) => progress.bar(id, 'Downloading', current, total),
      retrying: (seconds: number) =>
        progress.status(id, `Retrying in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}`),
      verifying: () => progress.status(id, 'Verifying Checksum'),
    };
    const fetch = client.receiveBlob.bind(client);
    const { path, release } = await this.stores.downloads.get(layer, fetch, listener, signal);
    progress.status(id, 'Download complete');
    return { range: { path, offset: 0, length: layer.size }, release };
  }

  private async fetch(request: PluginFetch, signal: AbortSignal): Promise<FetchedPlugin> {
    const reference = withDefaultTag(parseReference(request.reference));
    const wanted = reference.digest ?? reference.tag!;
    const shown = canonicalString(reference);
    try {
      const access = pluginAccess(reference, request.credentials, 'pull');
      const probe = (client: RepositoryClient) => client.getManifest(wanted, signal);
      const { client, result } = await this.stores.registries.connect(access, probe, signal);
      let manifest = parseAnyManifest(result.body, result.contentType, shown);
      for (let depth = 0; manifest.kind === 'index' && depth < 3; depth++) {
        const child = await client.getManifest(chooseManifest(manifest.manifests, undefined).digest, signal);
        manifest = parseAnyManifest(child.body, child.contentType, shown);
      }
      if (manifest.kind === 'index' || manifest.config.mediaType !== mediaTypes.pluginConfig)
        throw systemError(`did not find plugin config for specified reference ${shown}`);
      const config = await client.readBlob(manifest.config.digest, signal);
      return { client, config, digest: result.digest, layers: manifest.layers };
    } catch (error) {
      throw pullError(error, reference);
    }
  }
}

const pluginAccess = (reference: Reference, credentials: unknown, actions: Access['actions']): Access => ({
  ...accessTo(reference, credentials === undefined ? anonymous : credentialsOf(credentials), actions),
  resourceClass: 'plugin',
});

const shortId = (digest: string) => digest.slice('sha256:'.length, 'sha256:'.length + 12);

const writerTo = (send: (message: ProgressMessage) => void) => new ProgressWriter({ send, isSlow: false });

/** All of them, or the first failure once none is under way; what was fetched meanwhile is let go. */
async function settled<T extends { release(): Promise<void> }>(work: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(work);
  const done = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure === undefined) return done;
  for (const { release } of done) await release();
  throw (failure as PromiseRejectedResult).reason;
}

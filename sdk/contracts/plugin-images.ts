import { capability } from '../plugin/capability';
import type { ProgressMessage } from '../streams/progress';
import type { RootFilesystem } from './images';

/** How a managed plugin is called. */
export interface PluginName {
  /** As users write it, always with a tag: `acme/nfs:latest`. */
  readonly name: string;
  /** `docker.io/acme/nfs:latest`, or with a digest instead of the tag. */
  readonly canonical: string;
  readonly hasDigest: boolean;
}

/** The layers of a plugin that has its root file system. */
export interface PluginLayers {
  /** diffIDs from the base upwards. */
  readonly diffIds: readonly string[];
}

/** What is to be fetched: `reference` as a user types it, `credentials` an `AuthConfig` document or undefined. */
export interface PluginFetch {
  readonly reference: string;
  readonly credentials?: unknown;
}

/** The images of managed plugins: their layers here, and their way from and to registries (P-REG-1). */
export interface PluginImages {
  /** @throws invalid-parameter  no plugin can be called so */
  parseName(reference: string): PluginName;
  /** The config blob alone. @throws not-found, unauthorized, system */
  readConfig(fetch: PluginFetch, signal: AbortSignal): Promise<Buffer>;
  /**
   * Fetches a plugin and makes a root file system from it. Durable before it returns; when it fails nothing new stays.
   *
   * @param rootId   64 hex digits, the name of the root file system
   * @param accept   sees the config blob before a layer is fetched, and may refuse by throwing
   */
  pull(
    fetch: PluginFetch,
    rootId: string,
    accept: (config: Buffer) => void,
    onProgress: (message: ProgressMessage) => void,
    signal: AbortSignal,
  ): Promise<PluginLayers & { readonly digest: string }>;
  /**
   * Makes a root file system from a layer's archive.
   *
   * @param archivePath a plain tar
   * @throws invalid-parameter  it is malformed or reaches outside
   */
  build(archivePath: string, rootId: string, signal: AbortSignal): Promise<PluginLayers>;
  /** @param name `name:tag` it is pushed by. @returns digest and size of the manifest */
  push(
    plugin: PluginLayers & { readonly name: string; readonly config: Buffer; readonly credentials?: unknown },
    onProgress: (message: ProgressMessage) => void,
    signal: AbortSignal,
  ): Promise<{ readonly digest: string; readonly sizeBytes: number }>;
  /** @throws not-found */
  rootFilesystem(rootId: string): RootFilesystem;
  /** Unmounts and removes it, and layers nobody else stands on. Repeatable. */
  removeRootFilesystem(rootId: string): Promise<void>;
  /** Removes the root file systems of plugins that no longer exist; keeps those named. */
  collectRootFilesystems(keep: ReadonlySet<string>): Promise<void>;
}

export const PluginImages1 = capability<PluginImages>('plugin-images/v1');

import { type ImageConfig, invalidParameter } from '@gantry/sdk';
import { assertSha256 } from './digests';

/** The config blob of an image. @see OCI image spec, config.md */
export interface ImageFile {
  readonly created?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly docker_version?: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly os: string;
  readonly 'os.version'?: string;
  readonly config: ImageConfig;
  /** The container it was committed from, and its config; what the classic builder made has them. */
  readonly container?: string;
  readonly container_config?: ImageConfig;
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
  readonly history: readonly HistoryEntry[];
}

export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** @throws invalid-parameter  not an image config this engine can run */
export function parseImageFile(blob: Buffer): ImageFile {
  let value: unknown;
  try {
    value = JSON.parse(blob.toString('utf8'));
  } catch (error) {
    throw invalidParameter(`invalid image config: ${(error as Error).message}`);
  }
  if (!isObject(value)) throw invalidParameter('invalid image config: not a JSON object');
  const rootfs = value.rootfs;
  if (!isObject(rootfs)) throw invalidParameter('invalid image JSON, no RootFS key');
  const diffIds = rootfs.diff_ids ?? [];
  if (!Array.isArray(diffIds) || !diffIds.every((item) => typeof item === 'string'))
    throw invalidParameter('invalid image config: rootfs.diff_ids is not a list of digests');
  for (const diffId of diffIds) assertSha256(diffId);
  const history = value.history ?? [];
  if (!Array.isArray(history) || !history.every(isObject))
    throw invalidParameter('invalid image config: history is not a list');
  const config = value.config ?? {};
  if (!isObject(config)) throw invalidParameter('invalid image config: config is not an object');
  const text = (key: string) => (typeof value[key] === 'string' ? (value[key] as string) : undefined);
  return {
    created: text('created'),
    author: text('author'),
    comment: text('comment'),
    docker_version: text('docker_version'),
    architecture: text('architecture') ?? '',
    variant: text('variant'),
    os: text('os') || 'linux',
    'os.version': text('os.version'),
    config: config as ImageConfig,
    container: text('container'),
    container_config: isObject(value.container_config) ? (value.container_config as ImageConfig) : undefined,
    rootfs: { type: typeof rootfs.type === 'string' ? rootfs.type : 'layers', diff_ids: diffIds as string[] },
    history: history as HistoryEntry[],
  };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
